/**
 * Makes elements and icons. Text only ever gets in as text: never as markup.
 */

/** @typedef {Node | string | false | null | undefined} Child */

/**
 * Makes an element. A function under `onclick` and the like listens; `true` sets an attribute without a value, `false` and
 * what is missing leave it out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {any} an HTMLElement of that tag
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name.slice(2), value);
    } else if (value === true) {
      element.setAttribute(name, '');
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...kept(children));
  return element;
}

/** Puts these in place of what an element holds. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(...kept(children));
}

/** @param {Child[]} children @returns {(Node | string)[]} */
function kept(children) {
  return /** @type {(Node | string)[]} */ (children.filter((child) => child || child === ''));
}

/** The element of the page with this id. @param {string} id @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/** Loads a style sheet once. @param {string} name @returns {Promise<unknown>} done or not: what it styles is shown */
export function style(name) {
  styles[name] ??= new Promise((done) => {
    document.head.append(h('link', { rel: 'stylesheet', href: `/${name}`, onload: done, onerror: done }));
  });
  return styles[name];
}
/** @type {Record<string, Promise<unknown>>} */
const styles = {};

const SVG = 'http://www.w3.org/2000/svg';
const PATHS = {
  back: 'M12 4 6 10l6 6',
  close: 'M5 5l10 10M15 5 5 15',
  down: 'M10 4v12M5 11l5 5 5-5',
  dots: 'M9.5 4.5h1M9.5 10h1M9.5 15.5h1',
  lock: 'M5 9h10v8H5zM7 9V6a3 3 0 0 1 6 0v3',
  mail: 'M3 5h14v10H3zM3 6l7 5 7-5',
  people:
    'M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 16.5c0-3 2.5-4.5 5.5-4.5s5.5 1.5 5.5 4.5M13 4a2.7 2.7 0 0 1 0 5.2M15 12.3c1.9.6 3 2 3 4.2',
  plus: 'M10 4v12M4 10h12',
  search: 'M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5 17 17',
  send: 'M3 10 17 4l-4 13-3-6z M17 4l-7 7',
  trash: 'M4 6h12M8 6V4h4v2M6 6l.7 11h6.6L14 6',
  user: 'M10 10a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 10 10zM4 17c0-3 2.7-4.5 6-4.5s6 1.5 6 4.5',
};

/** A drawing that says nothing to a screen reader. @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button that shows a drawing and is called by its label.
 * @param {keyof typeof PATHS} name @param {string} label @param {() => void} press @param {Record<string, any>} [more]
 */
export function iconButton(name, label, press, more = {}) {
  return h(
    'button',
    { type: 'button', class: 'icon', title: label, 'aria-label': label, onclick: press, ...more },
    icon(name),
  );
}

let waiting = false;
/** @type {Set<() => void>} */
const due = new Set();

/** Does this once before the next picture is drawn; soon, where nobody looks. @param {() => void} deed */
export function soon(deed) {
  due.add(deed);
  if (!waiting) {
    waiting = true;
    // A hidden page draws no pictures; its title and its counts go on all the same.
    document.hidden ? setTimeout(run, 0) : requestAnimationFrame(run);
  }
}

function run() {
  waiting = false;
  const deeds = [...due];
  due.clear();
  for (const deed of deeds) {
    try {
      deed();
    } catch (error) {
      reportError(error); // what else is due is done all the same
    }
  }
}

/** Says something to who cannot see it. @param {string} text */
export function tell(text) {
  byId('said').textContent = text;
}
