/**
 * Which ids of a conversation are loaded: spans of ids, sorted and apart. Two that touch become one. Pure.
 *
 * Ids are of one sequence over all conversations, so that only spans tell whether something lies between two messages.
 * @module
 */

/** @typedef {[first: number, last: number]} Span both included; the last may be Infinity: what comes is loaded, too */

export class Spans {
  /** @param {readonly Span[]} [spans] */
  constructor(spans = []) {
    /** @type {Span[]} */
    this.all = spans.map(([first, last]) => [first, last]);
  }

  copy() {
    return new Spans(this.all);
  }

  /**
   * Whether all ids from the first to the last are loaded.
   * @param {number} first
   * @param {number} [last]
   */
  has(first, last = first) {
    return this.all.some((span) => span[0] <= first && last <= span[1]);
  }

  /**
   * @param {number} first
   * @param {number} last
   */
  add(first, last) {
    if (last < first) return;
    const apart = this.all.filter((span) => span[1] + 1 < first || last + 1 < span[0]);
    const joined = this.all.filter((span) => span[1] + 1 >= first && last + 1 >= span[0]);
    const firsts = joined.map((span) => span[0]);
    const lasts = joined.map((span) => span[1]);
    apart.push([Math.min(first, ...firsts), Math.max(last, ...lasts)]);
    this.all = apart.sort((one, other) => one[0] - other[0]);
  }

  /**
   * These are not loaded any more.
   * @param {number} first
   * @param {number} last
   */
  cut(first, last) {
    /** @type {Span[]} */
    const left = [];
    for (const span of this.all) {
      if (span[0] < first) left.push([span[0], Math.min(span[1], first - 1)]);
      if (span[1] > last) left.push([Math.max(span[0], last + 1), span[1]]);
    }
    this.all = left.filter((span) => span[0] <= span[1]);
  }
}
