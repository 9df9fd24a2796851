/**
 * What is pressed just now. A browser forgets a press whose element goes before it is let go, so a view that draws itself
 * anew in whole asks here first. Pure.
 * @module
 */

const MAIN_BUTTON = 0;

export class Hold {
  /** @param {EventTarget} page @param {(deed: () => void) => void} later does it behind the click that a press ends with */
  constructor(page, later) {
    /** @private @type {Node | null} */
    this.pressed = null;
    /** @private */
    this.count = 0; // of presses
    /** @private @type {Set<() => void>} */
    this.due = new Set();
    const press = (/** @type {any} */ { target, button = MAIN_BUTTON, key = ' ' }) => {
      if (button === MAIN_BUTTON && key === ' ') { // other keys press as they go down
        this.count++;
        this.pressed = target.closest?.('a, button') ?? null;
      }
    };
    const letGo = () => {
      const { count } = this;
      later(() => count === this.count && this.end()); // else the next press has begun meanwhile
    };
    for (const name of ['pointerdown', 'keydown']) {
      page.addEventListener(name, press, true);
    }
    for (const name of ['pointerup', 'pointercancel', 'keyup', 'contextmenu']) { // a menu may take the end of the press
      page.addEventListener(name, letGo, true);
    }
    page.addEventListener('blur', letGo); // of the window: that of an element, which a press brings about, stays there
  }

  /**
   * Whether something in this element is pressed; then `deed` is done as soon as it is let go.
   * @param {Node} root
   * @param {() => void} deed
   */
  has(root, deed) {
    const isHeld = this.pressed !== null && root.contains(this.pressed);
    if (isHeld) this.due.add(deed);
    return isHeld;
  }

  /** @private */
  end() {
    this.pressed = null;
    const due = [...this.due];
    this.due.clear();
    for (const deed of due) deed();
  }
}
