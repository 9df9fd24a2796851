/**
 * With whom one has talked, kept for an account: the service does not tell, and the list is there at the next visit.
 * @module
 */

export const MOST = 200; // names: some screens of them; the one that was met first goes

const KEY = 'talks';

export class Talks {
  /** @param {ReturnType<import('./vault.js').Vault['drawer']>} drawer */
  constructor(drawer) {
    /** @private */
    this.drawer = drawer;
    /** @private */
    this.known = new Set(this.names);
  }

  /** @returns {string[]} as the browser has them, perhaps from another tab */
  get names() {
    try {
      const names = JSON.parse(this.drawer.get(KEY) ?? '');
      return Array.isArray(names) ? names.filter((name) => typeof name === 'string').slice(-MOST) : [];
    } catch {
      return [];
    }
  }

  /** @param {string} name */
  add(name) {
    if (this.known.has(name)) return;
    this.known.add(name);
    this.keep([...this.names.filter((one) => one !== name), name]);
  }

  /** @param {string} name */
  remove(name) {
    this.known.delete(name);
    this.keep(this.names.filter((one) => one !== name));
  }

  /**
   * @private
   * @param {string[]} names
   */
  keep(names) {
    this.drawer.set(KEY, JSON.stringify(names.slice(-MOST)));
  }
}
