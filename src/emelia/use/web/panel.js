// What the page says of its own state (status, errors, level, progress), the dialog, drops and downloads.

import { element } from "./answer.js";

/** @param {string} id @returns {HTMLButtonElement} */
export const button = (id) => /** @type {HTMLButtonElement} */ (element(id));

/** @param {string} text a status; it takes the place of an error */
export function tell(text) {
  element("error").hidden = true;
  element("status").textContent = text;
}

/** @param {string} text what went wrong and what to do */
export function complain(text) {
  element("status").textContent = "";
  element("error").textContent = text;
  element("error").hidden = false;
}

/** @param {number} share 0 to 1 */
export function showLevel(share) {
  const meter = element("meter");
  meter.ariaValueNow = String(Math.round(100 * share));
  /** @type {HTMLElement} */ (meter.firstElementChild).style.transform = `scaleX(${share})`;
}

/** @param {string} id of a button @param {string} text */
export function rename(id, text) {
  /** @type {HTMLElement} */ (element(id).querySelector(".label")).textContent = text;
}

/** @param {"record" | "live" | null} running what the microphone is open for */
export function showRunning(running) {
  for (const [id, name] of [
    ["record", "Record"],
    ["live", "Live"],
  ]) {
    element(id).classList.toggle("running", id === running);
    rename(id, id === running ? "Stop" : name);
    button(id).disabled = running !== null && id !== running;
  }
  button("choose").disabled = running !== null;
  button("try").disabled = running !== null;
  for (const field of element("settings").querySelectorAll("select, fieldset"))
    /** @type {HTMLFieldSetElement} */ (field).disabled = running !== null;
  element("meter").classList.toggle("on", running !== null);
  showLevel(0);
}

/** @param {boolean} waiting for the server */
export function showWaiting(waiting) {
  element("result").ariaBusy = String(waiting);
  element("progress").hidden = !waiting;
  element("progress").removeAttribute("value");
  element("cancel").hidden = !waiting;
}

/** @param {number} done seconds @param {number} total seconds */
export function showProgress(done, total) {
  const bar = /** @type {HTMLProgressElement} */ (element("progress"));
  bar.max = total;
  bar.value = Math.min(done, total);
}

/** @param {boolean} again the last one was wrong @returns {Promise<string | null>} null: given up */
export async function askToken(again) {
  const dialog = /** @type {HTMLDialogElement} */ (element("token"));
  const field = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
  if (again) element("token-note").textContent = "The server did not accept this one. Try another.";
  field.value = "";
  dialog.returnValue = "cancel"; // what Escape means
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "ok" ? field.value : null;
}

/** @param {string} name @param {object} content offered as a JSON file */
export function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // some browsers are slow to take it
}

/** @param {(file: File) => unknown} take called with each file that is dropped on the page */
export function onDrop(take) {
  const over = (/** @type {boolean} */ on) => document.body.classList.toggle("over", on);
  addEventListener("dragover", (event) => {
    event.preventDefault(); // or the browser would open the file
    over(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
}
