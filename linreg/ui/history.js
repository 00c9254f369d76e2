// Back and Forward return to the settings that a page had, and to where it was scrolled to.
//
// - An address without a query stands for the defaults, but for the session's settings where a link
//   of the menu leads to it. So it gets a query before a link leads away from it.
// - The browser restores the place in the window alone, while Streamlit scrolls an element of the
//   page and draws its content bit by bit.
// - Until the server has answered, the menu leads on with the settings of the page that was left:
//   what is clicked until then is opened when the menu has its new links.
//
// The links at the top and the foot of a page open what the menu's do. Those at the foot are drawn
// last, after a training that may take long.
(() => {
  if (window.linregHistory) return;
  window.linregHistory = true;
  const LONGEST = 15_000; // milliseconds that the server may take to draw what is waited for
  const KEPT = "linreg.scroll";
  const box = () => document.querySelector('[data-testid="stMain"]');
  const places = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  const here = () => location.href.replace(/[?]v=1$/, "");
  let restoring = 0;

  function takeOver() {
    restoring += 1;
  }

  function remember() {
    takeOver();
    if (box()) {
      const kept = { ...places(), [here()]: box().scrollTop };
      sessionStorage.setItem(KEPT, JSON.stringify(kept));
    }
  }

  function restore() {
    const top = places()[here()];
    const mine = (restoring += 1);
    const end = performance.now() + LONGEST;
    let steady = 0; // how often in a row the page stood where it should
    const tick = () => {
      if (mine !== restoring || !top || performance.now() > end || steady > 20) return;
      const main = box();
      steady = main && Math.abs(main.scrollTop - top) < 2 ? steady + 1 : 0;
      if (main && !steady) main.scrollTop = top;
      setTimeout(tick, 100);
    };
    tick();
  }

  const seen = { capture: true, passive: true };
  for (const event of ["pointerdown", "keydown"]) window.addEventListener(event, remember, seen);
  for (const event of ["wheel", "touchmove"]) window.addEventListener(event, takeOver, seen);

  const MENU = ':is([data-testid="stSidebar"], .st-key-lecture_hidden) [data-testid="stPageLink"] a';
  const NEIGHBOURS = ".st-key-top_links a, .st-key-foot_links a";
  const NOT_SETTINGS = ["v", "step", "present", "figure"];
  let hasMoved = false; // by Back or Forward, since when the menu has not been right
  let clicked = 0;

  const nameOf = (link) => link.getAttribute("href").split("?")[0]; // that of the home page is empty

  function menuLink(name) {
    return [...document.querySelectorAll(MENU)].find((link) => nameOf(link) === name);
  }

  /** The settings in the query of an address, as one text. */
  function settingsOf(address) {
    const query = new URL(address, location.href).searchParams;
    for (const name of NOT_SETTINGS) query.delete(name);
    query.sort();
    return query.toString();
  }

  /** Whether the menu has the settings of the address: its link to this page leads back to it. */
  function isMenuRight() {
    const own = menuLink(location.pathname.split("/").at(-1)) ?? menuLink("");
    return own && settingsOf(own.href) === settingsOf(location.href);
  }

  function isMenuWaitedFor() {
    hasMoved &&= !isMenuRight();
    return hasMoved;
  }

  function moved() {
    hasMoved = true;
    clicked += 1; // what was clicked before is not opened any more
    restore();
  }

  function leave(event) {
    const link = event.target.closest?.(`${MENU}, ${NEIGHBOURS}`);
    if (link && (link.matches(NEIGHBOURS) || isMenuWaitedFor()) && menuLink(nameOf(link))) {
      event.preventDefault();
      event.stopImmediatePropagation();
      openPage(nameOf(link));
    } else if (event.target.closest?.('[data-testid="stPageLink"]')) {
      clicked += 1;
      hasMoved = false;
      if (!location.search) history.replaceState(history.state, "", `${location.pathname}?v=1`);
    }
  }

  /** Open a page by its link in the menu, as soon as that is right. */
  function openPage(name) {
    const mine = (clicked += 1);
    const end = performance.now() + LONGEST;
    const tick = () => {
      if (mine !== clicked) return;
      if (performance.now() > end) hasMoved = false; // rather with old settings than not at all
      if (isMenuWaitedFor()) setTimeout(tick, 50);
      else menuLink(name)?.click();
    };
    tick();
  }

  window.addEventListener("click", leave, { capture: true });
  window.addEventListener("popstate", moved);
})();
