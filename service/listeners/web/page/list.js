/**
 * Shows a part of a long list, at most MOST rows of it, and keeps the reader's place by measuring. Knows nothing of what
 * the rows say, and asks for nothing.
 */
import { soon } from './dom.js';

export const MOST = 400; // rows in the document; more make each layout slow
const STEP = 50; // rows that are added when the reader comes near an end
const START = 120; // rows at first: more than a tall screen shows
const NEAR = 800; // px from an end where the next rows are added, so that nobody sees the end of the rows
const AT_END = 32; // px from the end that count as being there

/**
 * A row: `key` is its own, for ever; `sign` changes with how it looks; `make` draws it.
 * @typedef {{ key: string, sign: string, make: () => HTMLElement }} Row
 * @typedef {{ count: () => number, find: (key: string) => number, keyAt: (index: number) => string,
 *   rows: (start: number, end: number) => Row[] }} Source  entries by index; an entry may take several rows
 * @typedef {{ key: string, top: number }} Anchor
 */

export class List {
  /**
   * @param {HTMLElement} scroller @param {HTMLElement} list
   * @param {{ top: () => void, bottom: () => void, moved: () => void }} told at the first or the last entry; after moving
   */
  constructor(scroller, list, told) {
    this.scroller = scroller;
    this.list = list;
    this.told = told;
    /** @type {Source | null} */
    this.source = null;
    /** @type {Map<string, { element: HTMLElement, sign: string }>} */
    this.drawn = new Map();
    this.first = ''; // keys of the entries at the ends of the window
    this.last = '';
    this.isAtEnd = true;
    this.top = 0;
    scroller.addEventListener('scroll', () => soon(this.onScroll), { passive: true });
    new ResizeObserver(() => this.resized()).observe(scroller);
  }

  /** Shows other entries: at their end, or with this entry in sight. @param {Source} source @param {string} [key] */
  open(source, key = '') {
    this.source = source;
    this.drawn.clear();
    this.list.replaceChildren();
    this.isAtEnd = !key;
    this.hadOldest = this.hadNewest = false;
    this.first = this.last = '';
    const at = key ? source.find(key) : -1;
    if (at >= 0) {
      this.first = source.keyAt(Math.max(0, at - START / 2));
      this.last = source.keyAt(Math.min(source.count() - 1, at + START / 2));
    }
    this.update();
    if (at >= 0) {
      this.reveal(key);
    }
  }

  /** The entries have changed: draws what is different, and keeps the place. */
  update() {
    const source = this.source;
    if (!source) {
      return;
    }
    const count = source.count();
    let start = this.first ? source.find(this.first) : -1;
    let end = this.last ? source.find(this.last) + 1 : 0;
    if (start < 0) {
      start = Math.max(0, (end || count) - START);
    }
    if (this.hadOldest && end <= MOST) {
      start = 0; // what came in above the first entry, where there may be nothing to scroll
    }
    if (this.isAtEnd || end <= start || (this.hadNewest && end < count && count - start <= MOST)) {
      end = count;
    }
    if (this.isAtEnd && end - start > MOST) {
      start = end - (MOST - 2 * STEP); // many at once, so that not every new one takes an old one away
    }
    this.draw(start, Math.min(end, start + MOST));
  }

  /** @param {number} start @param {number} end entries, exclusive @param {boolean} [isFromEnd] what is too much goes at the start */
  draw(start, end, isFromEnd = this.isAtEnd) {
    const source = /** @type {Source} */ (this.source);
    let rows = source.rows(start, end);
    while (rows.length > MOST && end - start > STEP) { // days and events take rows, too
      const surplus = rows.length - MOST;
      isFromEnd ? (start += surplus) : (end -= surplus);
      rows = source.rows(start, end);
    }
    this.first = end > start ? source.keyAt(start) : '';
    this.last = end > start ? source.keyAt(end - 1) : '';
    this.hadOldest = start === 0;
    this.hadNewest = end === source.count();
    const anchor = this.isAtEnd ? null : this.anchor(new Set(rows.map((row) => row.key)));
    this.reconcile(rows);
    if (this.isAtEnd) {
      this.toBottom();
    } else if (anchor) {
      this.move(place(this.mark(anchor.key)) - anchor.top);
    }
    this.told.moved();
  }

  /** Makes the document's rows these, touching only what differs. @param {Row[]} rows */
  reconcile(rows) {
    const before = this.drawn;
    this.drawn = new Map();
    /** @type {ChildNode | null} */
    let next = this.list.firstChild;
    const keys = new Set(rows.map((row) => row.key));
    let isFocusLost = false;
    for (const [key, { element }] of before) {
      if (!keys.has(key)) {
        next = next === element ? next.nextSibling : next;
        isFocusLost ||= element === document.activeElement;
        element.remove();
      }
    }
    for (const { key, sign, make } of rows) {
      const old = before.get(key);
      let element = old?.element;
      if (!old || old.sign !== sign || !element) {
        const fresh = make();
        fresh.dataset.key = key;
        if (element) {
          next = next === element ? fresh : next;
          const hadFocus = element === document.activeElement;
          element.replaceWith(fresh);
          hadFocus && fresh.focus({ preventScroll: true });
        }
        element = fresh;
      }
      if (element === next) {
        next = next.nextSibling;
      } else {
        this.list.insertBefore(element, next);
      }
      this.drawn.set(key, { element, sign });
    }
    if (isFocusLost) { // what waited is stored: the same message, in another row
      /** @type {HTMLElement | null} */ (this.list.lastElementChild)?.focus({ preventScroll: true });
    }
  }

  /** The first row in sight that stays. @param {Set<string>} keys @returns {Anchor | null} */
  anchor(keys) {
    const top = this.scroller.getBoundingClientRect().top;
    for (const element of /** @type {Iterable<HTMLElement>} */ (this.list.children)) {
      const key = element.dataset.key ?? '';
      if (keys.has(key) && element.getBoundingClientRect().bottom > top) {
        return { key, top: place(this.mark(key)) };
      }
    }
    return null;
  }

  /** What of a row is measured: its text, as the name above it may come or go. @param {string} key @returns {Element} */
  mark(key) {
    const element = /** @type {HTMLElement} */ (this.drawn.get(key)?.element);
    return element.querySelector('.body') ?? element;
  }

  /** @param {number} by px */
  move(by) {
    if (by) {
      this.scroller.scrollTop += by;
    }
    this.top = this.scroller.scrollTop;
  }

  /** Goes to the newest entry, and stays there as more come. */
  toEnd() {
    this.isAtEnd = true;
    this.first = this.last = '';
    this.update();
  }

  toBottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
  }

  /** Brings a row into sight, a third down. @param {string} key @returns {HTMLElement | null} */
  reveal(key) {
    const element = this.drawn.get(key)?.element;
    if (!element) {
      return null;
    }
    this.isAtEnd = false;
    this.move(place(element) - place(this.scroller) - this.scroller.clientHeight / 3);
    this.judge();
    return element;
  }

  /** Whether a row is in sight now. @param {string} key */
  isInSight(key) {
    const box = this.drawn.get(key)?.element.getBoundingClientRect();
    const sight = this.scroller.getBoundingClientRect();
    return Boolean(box && box.top >= sight.top && box.top < sight.bottom);
  }

  judge() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.isAtEnd = Boolean(this.hadNewest) && scrollHeight - scrollTop - clientHeight < AT_END;
  }

  onScroll = () => {
    const source = this.source;
    if (!source || !this.scroller.clientHeight) {
      return;
    }
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    // At the very top there is no way further up, and so no event: what was loaded meanwhile is drawn all the same.
    const isUp = scrollTop < this.top || scrollTop <= 0;
    this.top = scrollTop;
    this.judge();
    if (source.find(this.first) < 0 || source.find(this.last) < 0) {
      this.update(); // what waited at an end is stored since it was drawn: it has another key
    }
    const start = source.find(this.first);
    const end = source.find(this.last) + 1;
    if ((isUp || scrollHeight < clientHeight + NEAR) && scrollTop < NEAR && start >= 0) {
      start > 0 ? this.draw(Math.max(0, start - STEP), Math.min(end, start - STEP + MOST), false) : this.told.top();
    } else if (scrollHeight - scrollTop - clientHeight < NEAR) {
      const count = source.count();
      if (end < count) {
        const more = Math.min(count, end + STEP);
        this.draw(Math.max(start, more - MOST), more, true);
      } else {
        this.told.bottom();
      }
    }
    this.told.moved();
  };

  /** The keyboard of a phone came or went, or the composer grew. */
  resized() {
    if (this.isAtEnd && this.scroller.clientHeight) {
      this.toBottom();
    }
  }
}

/** @param {Element} element @returns {number} px from the window's top */
function place(element) {
  return element.getBoundingClientRect().top;
}
