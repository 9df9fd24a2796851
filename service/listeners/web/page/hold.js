/**
 * What is pressed just now. A browser forgets a press whose element goes before it is let go, so a view that draws itself
 * anew in whole asks here first. Pure.
 * @module
 */

export class Hold {
  /** @param {EventTarget} page */
  constructor(page) {
    /** @private @type {any} the event that it began with */
    this.press = null;
    /** @private @type {(() => void) | null} one view has what is pressed */
    this.due = null;
    page.addEventListener('pointerdown', (event) => this.press = event, true);
    const letGo = () => {
      const { press } = this;
      setTimeout(() => press === this.press && this.end(), 0); // behind the click, unless the next press has begun by then
    };
    // Behind a menu, or in another window, nobody says that it was let go. An element's loss of the focus is none of these.
    for (const name of ['pointerup', 'pointercancel', 'contextmenu', 'blur']) {
      page.addEventListener(name, letGo, name !== 'blur');
    }
  }

  /**
   * Whether something in this element is pressed; then `deed` is done as soon as it is let go.
   * @param {Node} root
   * @param {() => void} deed
   */
  has(root, deed) {
    const isHeld = root.contains(this.press?.target.closest?.('a, button') ?? null);
    if (isHeld) this.due = deed;
    return isHeld;
  }

  /** @private */
  end() {
    const { due } = this;
    this.press = this.due = null;
    due?.();
  }
}
