/**
 * What the page's model needs of the browser: socket, clock, chance, storage. Tests give another one.
 *
 * Over http to another machine the browser keeps nothing: whoever answers at that address later could read it.
 * @module
 */

/**
 * @typedef {{
 *   onmessage: ((event: { data: unknown }) => void) | null, onclose: (() => void) | null,
 *   send: (data: string) => void, close: () => void
 * }} Socket
 */
/** What keeps strings, as localStorage does.
 * @typedef {Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>} Area
 */
/**
 * Times are in ms. `local` outlives the browser, `tab` the page; both are null where nothing may be kept. `random`: from
 * 0 to 1; `digits`: letters and digits that nobody can guess. `onChange`: the network is perhaps back, or gone, or the
 * page is looked at again.
 * @typedef {{
 *   makeSocket: () => Socket, now: () => number, later: (then: () => void, ms: number) => number,
 *   clear: (timer: number) => void, random: () => number, digits: () => string, isSecure: boolean,
 *   local: Area | null, tab: Area | null, onChange: (then: () => void) => void
 * }} Environment
 */

/** An area that is gone with the page. */
export class Memory {
  constructor() {
    /** @type {Map<string, string>} */
    this.all = new Map();
  }

  get length() {
    return this.all.size;
  }

  /** @param {number} index */
  key(index) {
    return [...this.all.keys()][index] ?? null;
  }

  /** @param {string} key */
  getItem(key) {
    return this.all.get(key) ?? null;
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  setItem(key, value) {
    this.all.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.all.delete(key);
  }
}

/** @returns {Environment} */
export function browserEnvironment() {
  const isSecure = globalThis.isSecureContext;
  const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/chat`;
  return {
    makeSocket: () => /** @type {Socket} */ (/** @type {unknown} */ (new WebSocket(address))),
    now: () => Date.now(),
    later: (then, ms) => window.setTimeout(then, ms),
    clear: (timer) => window.clearTimeout(timer),
    random: () => Math.random(),
    digits: () => crypto.getRandomValues(new Uint32Array(3)).reduce((text, word) => text + word.toString(36), ''),
    isSecure,
    local: isSecure ? areaOf(() => localStorage) : null,
    tab: isSecure ? areaOf(() => sessionStorage) : null,
    onChange: (then) => {
      for (const name of ['online', 'offline', 'pageshow']) addEventListener(name, then);
      document.addEventListener('visibilitychange', () => document.hidden || then());
    },
  };
}

/**
 * An area, if the user lets the page have it.
 * @param {() => Storage} get
 */
function areaOf(get) {
  try {
    const area = get();
    area.getItem('');
    return area;
  } catch {
    return null;
  }
}
