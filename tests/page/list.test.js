import assert from 'node:assert/strict';
import { List } from '../../service/listeners/web/page/list.js';

// What of a browser the list takes. Nothing has a place here: all rows are in sight.
const BOX = { top: 0, bottom: 100 };
const page = /** @type {any} */ (globalThis);
page.document = { activeElement: null };
page.ResizeObserver = class {
  observe() {}
};

class Element extends EventTarget {
  /** @type {Element[]} */
  children = [];
  /** @type {Record<string, string>} */
  dataset = {};
  scrollTop = 0;
  scrollHeight = 100;
  clientHeight = 100;
  /** @type {Element | null} */
  parent = null;

  get firstChild() {
    return this.children[0] ?? null;
  }

  get nextSibling() {
    const all = this.parent?.children ?? [];
    return all[all.indexOf(this) + 1] ?? null;
  }

  /** @param {Element} element @param {Element | null} next */
  insertBefore(element, next) {
    element.parent = this;
    this.children.splice(next ? this.children.indexOf(next) : this.children.length, 0, element);
  }

  remove() {
    this.parent?.children.splice(this.parent.children.indexOf(this), 1);
    this.parent = null;
  }

  replaceChildren() {
    this.children = [];
  }

  querySelector() {
    return null;
  }

  getBoundingClientRect() {
    return BOX;
  }
}

/** A list of these keys, which the test may change; `told` has what the list has asked for. */
function makeList(/** @type {string[]} */ ...keys) {
  const told = /** @type {string[]} */ ([]);
  const [scroller, element] = [new Element(), new Element()];
  const list = new List(/** @type {any} */ (scroller), /** @type {any} */ (element), {
    top: () => told.push('top'),
    bottom: () => told.push('bottom'),
    moved: () => {},
  });
  const shown = () => element.children.map(({ dataset }) => dataset.key);
  list.open({
    count: () => keys.length,
    find: (key) => keys.indexOf(key),
    keyAt: (index) => keys[index],
    rows: (start, end) => {
      assert.ok(start >= 0 && end <= keys.length, `there are no rows from ${start} to ${end}`);
      return keys.slice(start, end).map((key) => ({ key, sign: '', make: () => /** @type {any} */ (new Element()) }));
    },
  });
  return { list, keys, shown, told };
}

Deno.test('a text that is stored before it is drawn so is drawn by what comes first', () => {
  const { list, keys, shown, told } = makeList('p1');
  assert.deepEqual(shown(), ['p1']);
  keys.splice(0, 1, 'm1');
  list.onScroll();
  assert.deepEqual(shown(), ['m1']);
  assert.deepEqual(told, ['top']); // it does not fill the screen
});

Deno.test('the one at the end of many, too', () => {
  const { list, keys, shown } = makeList('m1', 'm2', 'p3');
  keys.splice(2, 1, 'm3');
  list.onScroll();
  assert.deepEqual(shown(), ['m1', 'm2', 'm3']);
});

Deno.test('where there is nothing, more is asked for and nothing drawn', () => {
  const { list, shown, told } = makeList();
  list.onScroll();
  assert.deepEqual(shown(), []);
  assert.deepEqual(told, ['bottom']);
});
