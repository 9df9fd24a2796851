import assert from 'node:assert/strict';
import { Hold } from '../../service/listeners/web/page/hold.js';

/** An element that holds others; what is pressed is a button, unless it is said. */
class Element extends EventTarget {
  /** @param {{ holds?: Element[], isButton?: boolean }} [what] */
  constructor({ holds = [], isButton = true } = {}) {
    super();
    this.holds = holds;
    this.isButton = isButton;
  }

  closest() {
    return this.isButton ? this : null;
  }

  /** @param {Element} other */
  contains(other) {
    return this.holds.includes(other);
  }
}

/** A page with a button in its head; `happen` has something happen to an element. */
function makePage() {
  const page = new EventTarget();
  const button = new Element();
  /** @type {(() => void)[]} */
  const waiting = [];
  const hold = new Hold(page, (deed) => waiting.push(deed));
  const head = /** @type {any} */ (new Element({ holds: [button] }));
  /** @param {string} name @param {object} [what] */
  const happen = (name, what = {}) => {
    const event = new Event(name);
    for (const [key, value] of Object.entries({ target: button, ...what })) {
      Object.defineProperty(event, key, { value });
    }
    page.dispatchEvent(event);
  };
  const goOn = () => waiting.splice(0).forEach((deed) => deed());
  return { hold, head, happen, goOn };
}

for (const [down, up] of [['pointerdown', 'pointerup'], ['pointerdown', 'pointercancel'], ['pointerdown', 'blur']]) {
  Deno.test(`what is pressed stays until ${up}, and behind the click that comes with it`, () => {
    const { hold, head, happen, goOn } = makePage();
    let drawn = 0;
    const draw = () => drawn++;
    assert.equal(hold.has(head, draw), false);
    happen(down, { button: 0 });
    assert.equal(hold.has(head, draw), true);
    assert.equal(hold.has(head, draw), true);
    happen(up);
    assert.equal(hold.has(head, draw), true);
    goOn();
    assert.equal(drawn, 1);
    assert.equal(hold.has(head, draw), false);
    goOn();
    assert.equal(drawn, 1);
  });
}

Deno.test('the second of a double press has hold, too, however late the end of the first is told', () => {
  const { hold, head, happen, goOn } = makePage();
  happen('pointerdown', { button: 0 });
  happen('pointerup');
  happen('pointerdown', { button: 0 });
  goOn();
  assert.equal(hold.has(head, () => {}), true);
  happen('pointerup');
  goOn();
  assert.equal(hold.has(head, () => {}), false);
});

Deno.test('the space bar presses until it is let go; Enter does as it goes down', () => {
  const { hold, head, happen, goOn } = makePage();
  happen('keydown', { key: 'Enter' });
  assert.equal(hold.has(head, () => {}), false);
  happen('keydown', { key: ' ' });
  assert.equal(hold.has(head, () => {}), true);
  happen('keyup', { key: ' ' });
  goOn();
  assert.equal(hold.has(head, () => {}), false);
});

Deno.test('nothing else is held: another view, another button of the mouse, what is no button', () => {
  const { hold, head, happen } = makePage();
  happen('pointerdown', { button: 2 });
  assert.equal(hold.has(head, () => {}), false);
  happen('pointerdown', { button: 0, target: new Element({ isButton: false }) });
  assert.equal(hold.has(head, () => {}), false);
  happen('pointerdown', { button: 0, target: new EventTarget() });
  assert.equal(hold.has(head, () => {}), false);
  happen('pointerdown', { button: 0 });
  assert.equal(hold.has(/** @type {any} */ (new Element()), () => {}), false);
});
