/** The text of the component: it loads the modules, and says so where they cannot be loaded. */

/** Where the files are served, relative to the app. Python fills it in. */
const FILES = "__FILES__";

let loading;

/** The module that draws. The app's pages lie beside each other, as its own scripts assume too. */
function load() {
  loading ??= import(new URL(`${FILES}/live.js`, document.baseURI).href);
  return loading;
}

export default function (component) {
  const { parentElement } = component;
  load().then(
    (live) => live.mount(component),
    (error) => {
      loading = undefined;
      parentElement.textContent =
        `The figures cannot be drawn: their code could not be loaded (${error.message}).` +
        " Reload the page; a proxy in front of the app has to let component/ through.";
      parentElement.setAttribute("role", "alert");
    },
  );
  // Streamlit may also call this when only the data has changed
  return () => setTimeout(() => parentElement.isConnected || unmount(parentElement));
}

function unmount(parentElement) {
  load().then((live) => live.unmount(parentElement), () => {});
}
