/**
 * A value that a visitor changes here and a page changes in Python: the browser tells Python its
 * own, and takes Python's once that has heard of the last one. Before that, what Python sends is
 * older than what is shown.
 */
export class Telling {
  /** @param known - the value that both show at first */
  constructor(known) {
    this.known = known;
    this.count = 0; // how often Python was told
    this.begin();
  }

  /** Another element tells from now on; what the last one told is over. */
  begin() {
    this.isNew = true;
  }

  /** Whether a value is to be told: `count` then goes with it. */
  tells(value) {
    if (value === this.known) return false;
    this.known = value;
    this.count += 1;
    return true;
  }

  /**
   * Whether a value that Python sends is to be taken.
   * @param {number} heard - the last `count` that Python has heard
   */
  takes(value, heard) {
    if (this.isNew) this.count = heard;
    this.isNew = false;
    if (heard < this.count || value === this.known) return false;
    this.known = value;
    return true;
  }
}
