#!/bin/sh
# Makes the recordings of benchmarks/announcements.py in a folder, one folder a voice:
#     sh tools/announcements.sh FOLDER
# Prompts of the telephone exchange Asterisk, read by people (Debian's asterisk-core-sounds-*,
# CC BY-SA 3.0), and plain sentences spoken by espeak-ng and flite. Needs Debian with `apt-get`,
# and the packages espeak-ng and flite for the latter.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for language in en es fr it ru; do
    apt-get download -q "asterisk-core-sounds-$language-wav"
    dpkg-deb -x asterisk-core-sounds-$language-wav_*.deb prompts
    mkdir -p "$out/asterisk-$language"
    # 120 of those that last from 2 to 12 s at 8 kHz, in 16 bits; every n-th in the order of names.
    find prompts -path "*sounds/$language*" -name '*.wav' -size +32k -size -192k ! -path '*silence*' |
        sort > names
    every=$(( $(wc -l < names) / 120 + 1 ))
    awk "NR % $every == 0" names | while read -r name; do
        cp "$name" "$out/asterisk-$language/$(echo "${name#prompts/}" | tr / _)"
    done
done
cat > sentences <<'END'
Please hold the line, you will be connected shortly.
The office is open from nine to five on weekdays.
The train to the airport leaves from platform four.
Your appointment is on Tuesday the third of March.
To hear this message again, press one.
The meeting takes place in the room on the second floor.
The parcel was delivered to the address on the form.
The next stop is the central station.
Please enter the number of your account, then press the hash key.
The table is one metre long and sixty centimetres wide.
The library closes at eight in the evening.
Water boils at one hundred degrees at sea level.
The form has four pages, and each of them needs a signature.
The bus number seventeen stops in front of the museum.
There are twelve chairs in the room and one of them is broken.
Your call may be recorded for training.
The price of the ticket is four euros and fifty cents.
The document is stored in the folder on the left.
The temperature tomorrow will be between ten and fifteen degrees.
The second chapter describes how the data were collected.
END
for voice in espeak-ng:en-gb espeak-ng:en-us+f3 flite:slt flite:rms flite:awb; do
    engine=${voice%%:*} name=${voice#*:}
    mkdir -p "$out/$engine-$name"
    number=0
    while read -r sentence; do
        number=$((number + 1))
        file=$(printf '%s/%s-%s/%02d.wav' "$out" "$engine" "$name" "$number")
        if [ "$engine" = flite ]; then
            flite -voice "$name" -t "$sentence" -o "$file"
        else
            espeak-ng -v "$name" -w "$file" "$sentence"
        fi
    done < sentences
done
