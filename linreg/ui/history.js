// Back and Forward return to the settings that a page had, and to where it was scrolled to.
//
// - An address without a query stands for the defaults, but for the session's settings where a link
//   of the menu leads to it. So it gets a query before a link leads away from it.
// - The browser restores the place in the window alone, while Streamlit scrolls an element of the
//   page and draws its content bit by bit.
(() => {
  if (window.linregHistory) return;
  window.linregHistory = true;
  const LONGEST = 15_000; // milliseconds that a page may take to be as high as it was
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

  function leave(event) {
    if (!location.search && event.target.closest?.('[data-testid="stPageLink"]')) {
      history.replaceState(history.state, "", `${location.pathname}?v=1`);
    }
  }

  window.addEventListener("click", leave, seen);
  window.addEventListener("popstate", restore);
})();
