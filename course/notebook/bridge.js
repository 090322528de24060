// The page's half of course/notebook/bridge.py: forms in a notebook's output, connected to the kernel that showed them.

const BUSY_AFTER_MS = 1500;
const REDRAWN_MS = 300; // until an output that has changed is drawn
const NO_ANSWER = "The kernel is busy, and takes your answer when it is free. If it was restarted, run this cell again.";

// Connect every form that carries this token, now and whenever it is drawn again, and return what undoes it. `send`
// takes {form, values}.
export function connectForms(token, send) {
  const selector = `[data-course-token="${token}"]`;
  const waiting = new Map();

  function connect(root) {
    if (root.classList.contains("course-connected")) return;
    root.classList.add("course-connected");
    for (const fieldset of root.querySelectorAll("fieldset")) fieldset.disabled = false;
    for (const place of root.querySelectorAll("[data-course-button]")) place.replaceChildren(buttonOf(place));
    for (const note of root.querySelectorAll(".offline")) note.hidden = true;
    root.addEventListener("keydown", keepFromNotebook);
    root.addEventListener("submit", submit);
    for (const form of root.querySelectorAll("form[data-course-submit=change]")) {
      form.addEventListener("change", () => form.requestSubmit());
    }
  }

  async function submit(event) {
    event.preventDefault();
    const root = event.currentTarget;
    const values = {};
    for (const [name, value] of new FormData(event.target)) values[name] = await plain(value);
    for (const button of root.querySelectorAll("button")) button.disabled = true;
    const timer = setTimeout(() => say(root, NO_ANSWER), BUSY_AFTER_MS);
    waiting.set(root.dataset.courseForm, { cell: root.closest(".jp-Cell"), moveOn: "courseMoveOn" in root.dataset, timer });
    send({ form: root.dataset.courseForm, values });
  }

  const connectAll = () => document.querySelectorAll(selector).forEach(connect);
  const observer = new MutationObserver(connectAll);
  observer.observe(document.body, { childList: true, subtree: true });
  connectAll();

  return {
    // The kernel has answered: what it showed stands in the form's place.
    answered(form) {
      const { cell, moveOn, timer } = waiting.get(form) ?? {};
      clearTimeout(timer);
      waiting.delete(form);
      if (moveOn && cell) selectNext(cell);
      else if (cell) setTimeout(() => (cell.querySelector(`[data-course-form="${form}"] button`) ?? cell).focus(), REDRAWN_MS);
    },
    // The kernel is gone, or another page has taken over: the forms say what to do.
    disconnect() {
      observer.disconnect();
      for (const root of document.querySelectorAll(selector)) {
        for (const fieldset of root.querySelectorAll("fieldset")) fieldset.disabled = true;
        for (const place of root.querySelectorAll("[data-course-button]")) place.replaceChildren();
        for (const note of root.querySelectorAll(".offline")) note.hidden = false;
      }
    },
  };
}

// Made here, because JupyterLab would show a stored one in a notebook that it doesn't trust, even if it is hidden.
function buttonOf(place) {
  const button = document.createElement("button");
  button.textContent = place.dataset.courseButton;
  return button;
}

// The notebook's shortcuts must not see a key that is meant for the form: an arrow would select another cell. Saving and
// running the cell stay possible.
function keepFromNotebook(event) {
  const isCommand = event.ctrlKey || event.metaKey || (event.shiftKey && event.key === "Enter");
  if (!isCommand) event.stopPropagation();
}

// A file as its name and its bytes in base64; anything else as it is.
async function plain(value) {
  if (!(value instanceof File)) return value;
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(value);
  });
  return { name: value.name, data: address.slice(address.indexOf(",") + 1) };
}

function say(root, text) {
  const note = root.querySelector("[role=alert]") ?? root.appendChild(document.createElement("div"));
  note.setAttribute("role", "alert");
  note.textContent = text;
}

// In JupyterLab and Notebook 7: as after Shift+Enter, the cell below is the active one.
function selectNext(cell) {
  const next = cell.nextElementSibling;
  if (!next?.classList.contains("jp-Cell")) return;
  next.scrollIntoView({ block: "nearest" });
  next.focus();
}

export default {
  initialize({ model }) {
    const forms = connectForms(model.get("token"), (message) => model.send(message));
    model.on("msg:custom", (message) => forms.answered(message.form));
    // JupyterLab keeps the widgets of a kernel that has ended.
    model.widget_manager?.kernel?.statusChanged?.connect((kernel, status) => {
      if (["restarting", "autorestarting", "terminating", "dead"].includes(status)) forms.disconnect();
    });
    return () => forms.disconnect();
  },
};
