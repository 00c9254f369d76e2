// Loads Vega and the modules of the live figures all at once while the page is being built, so that
// the first figure need not wait for them, nor each of them for the one that imports it.
(() => {
  const address = (name) => new URL(`${__FILES__}/${name}`, document.baseURI).href;
  const load = (name) => import(address(name)).catch(() => {}); // loader.js says what is wrong
  load("vega_bundle.js");
  const link = (rel, name) =>
    document.head.append(Object.assign(document.createElement("link"), { rel, href: address(name) }));
  link("stylesheet", "live.css");
  for (const name of __MODULES__) link("modulepreload", name);
  load("live.js");
})();
