/**
 * The keys of the lecture view: the arrows step through the replay and the space bar plays it,
 * wherever the focus is, and Escape leaves the view.
 */

const ARROWS = ["ArrowLeft", "ArrowRight"];
const HAVE_ARROWS = "input, select, textarea, [role=combobox], [role=slider], .live-handle";
const HAVE_SPACE = `${HAVE_ARROWS}, a, button, summary`;

function pressed(event) {
  const { key, shiftKey, target } = event;
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  if (key === "Escape" && !target.closest(HAVE_ARROWS)) {
    document.querySelector(".st-key-leave_lecture button")?.click();
    return;
  }
  const isOurs = ARROWS.includes(key)
    ? !target.closest(HAVE_ARROWS)
    : key === " " && !target.closest(HAVE_SPACE);
  const slider = document.querySelector(".live-controls input[type=range]");
  if (!isOurs || !slider) return;
  event.preventDefault();
  slider.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
}

export default function () {
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
