import assert from 'node:assert/strict';
import { Presses } from '../../service/listeners/web/page/press.js';

/** A dialog, and what the clicks mean that go down at one place and up at another. */
function makeDialog() {
  const [root, inside] = [new EventTarget(), new EventTarget()];
  const presses = new Presses(root);
  /** @param {EventTarget} from @param {EventTarget} to @param {number} detail */
  const click = (from, to, detail) => {
    presses.down({ target: from });
    return presses.click({ target: to, detail });
  };
  return { presses, root, inside, click };
}

Deno.test('the rest of the double press that opened a dialog does nothing in it', () => {
  for (const detail of [2, 3]) {
    const { root, inside, click } = makeDialog();
    assert.equal(click(root, root, detail), 'nothing');
    assert.equal(click(inside, inside, detail), 'nothing');
    assert.equal(click(root, root, 1), 'beside');
  }
});

Deno.test('a double press within a dialog is two presses', () => {
  const { inside, click } = makeDialog();
  assert.deepEqual([click(inside, inside, 1), click(inside, inside, 2)], ['inside', 'inside']);
});

Deno.test('a key presses in a dialog', () => {
  const { presses, inside } = makeDialog();
  assert.equal(presses.click({ target: inside, detail: 0 }), 'inside');
});

Deno.test('a pull from the box to beside it, or back, does not press beside it', () => {
  const { root, inside, click } = makeDialog();
  assert.equal(click(inside, root, 1), 'nothing'); // a browser tells the dialog of it, which both have in common
  assert.equal(click(root, root, 1), 'beside');
});
