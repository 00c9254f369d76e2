// Back and Forward return to where the page was scrolled to. The browser does this for the window
// only, and Streamlit scrolls an element of the page and draws its content bit by bit.
(() => {
  if (window.linregScroll) return;
  window.linregScroll = true;
  const LONGEST = 15_000; // milliseconds that a page may take to be as high as it was
  const KEPT = "linreg.scroll";
  const box = () => document.querySelector('[data-testid="stMain"]');
  const places = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  let restoring = 0;

  function takeOver() {
    restoring += 1;
  }

  function remember() {
    takeOver();
    if (box()) {
      const kept = { ...places(), [location.href]: box().scrollTop };
      sessionStorage.setItem(KEPT, JSON.stringify(kept));
    }
  }

  function restore() {
    const top = places()[location.href];
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
  window.addEventListener("popstate", restore);
})();
