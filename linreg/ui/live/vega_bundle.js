/**
 * Vega's bundle, which the browser keeps. Streamlit serves the files of a component without a date
 * and without an age, so that browsers ask for them anew at every visit, and this one is large.
 */

const CACHE = "linreg-live";
const ADDRESS = new URL("vega.js", import.meta.url).href;

/** The function vega-embed. */
export const vegaEmbed = await load();

async function load() {
  const kept = await keptBundle().catch(() => null); // no cache, or none that may be used
  const address = kept ? URL.createObjectURL(kept) : ADDRESS;
  await import(address);
  if (kept) URL.revokeObjectURL(address);
  return globalThis.vegaEmbed;
}

/** The bundle out of the cache of this origin, where it is put if it is not there. */
async function keptBundle() {
  const cache = await caches.open(CACHE); // only on localhost and with https
  let response = await cache.match(ADDRESS);
  if (!response) {
    response = await fetch(ADDRESS);
    if (!response.ok) return null;
    for (const old of await cache.keys()) await cache.delete(old);
    await cache.put(ADDRESS, response.clone());
  }
  return new Blob([await response.blob()], { type: "text/javascript" });
}
