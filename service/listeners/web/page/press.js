/**
 * What the presses in a dialog mean. Pure.
 * @module
 */

export class Presses {
  /** @param {EventTarget} root the dialog: it is what is pressed where one presses beside its box */
  constructor(root) {
    /** @private */
    this.root = root;
    /** @private */
    this.hasBegun = false;
    /** @private */
    this.isBeside = false;
  }

  /** @param {{ target: EventTarget | null }} event of a pointer that goes down */
  down({ target }) {
    this.isBeside = target === this.root;
  }

  /**
   * What a click means. Where the first of a double press opened the dialog, the second means nothing: it was for what
   * stood there before. Who pulls from the box to beside it, to choose a text, does not press beside it.
   * @param {{ target: EventTarget | null, detail: number }} event its `detail` counts the clicks of a double press
   * @returns {'nothing' | 'beside' | 'inside'}
   */
  click({ target, detail }) {
    this.hasBegun ||= detail < 2;
    if (!this.hasBegun) return 'nothing';
    if (target !== this.root) return 'inside';
    return this.isBeside ? 'beside' : 'nothing';
  }
}
