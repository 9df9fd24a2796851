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

/** A page with a button in its head; `happen` has something happen to an element, `goOn` does what is due then. */
function makePage() {
  const page = new EventTarget();
  const button = new Element();
  const hold = new Hold(page);
  const head = /** @type {any} */ (new Element({ holds: [button] }));
  const happen = (/** @type {string} */ name, /** @type {EventTarget} */ target = button) => {
    page.dispatchEvent(Object.defineProperty(new Event(name), 'target', { value: target }));
  };
  const goOn = () => new Promise((done) => setTimeout(done, 0));
  return { hold, head, happen, goOn };
}

for (const end of ['pointerup', 'pointercancel', 'contextmenu', 'blur']) {
  Deno.test(`what is pressed stays until ${end}, and behind the click that comes with it`, async () => {
    const { hold, head, happen, goOn } = makePage();
    let drawn = 0;
    const draw = () => drawn++;
    assert.equal(hold.has(head, draw), false);
    happen('pointerdown');
    assert.equal(hold.has(head, draw), true);
    assert.equal(hold.has(head, draw), true);
    happen(end);
    assert.equal(hold.has(head, draw), true);
    assert.equal(drawn, 0);
    await goOn();
    assert.equal(drawn, 1);
    assert.equal(hold.has(head, draw), false);
    happen(end);
    await goOn();
    assert.equal(drawn, 1);
  });
}

Deno.test('the second of a double press has hold, too, however late the end of the first is told', async () => {
  const { hold, head, happen, goOn } = makePage();
  happen('pointerdown');
  happen('pointerup');
  happen('pointerdown');
  await goOn();
  assert.equal(hold.has(head, () => {}), true);
  happen('pointerup');
  await goOn();
  assert.equal(hold.has(head, () => {}), false);
});

Deno.test('nothing else is held: another view, what is no button, what is no element', () => {
  const { hold, head, happen } = makePage();
  happen('pointerdown');
  assert.equal(hold.has(/** @type {any} */ (new Element()), () => {}), false);
  for (const target of [new Element({ isButton: false }), new EventTarget()]) {
    happen('pointerdown', target);
    assert.equal(hold.has(head, () => {}), false);
  }
});
