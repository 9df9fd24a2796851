import assert from 'node:assert/strict';
import { Spans } from '../../service/listeners/web/page/spans.js';
import { chance } from './fakes.js';

Deno.test('spans that touch or overlap become one', () => {
  const spans = new Spans();
  for (const [first, last] of [[5, 7], [1, 2], [10, Infinity], [8, 9]]) spans.add(first, last);
  assert.deepEqual(spans.all, [[1, 2], [5, Infinity]]);
  spans.add(4, 3);
  assert.deepEqual(spans.all, [[1, 2], [5, Infinity]]);
});

Deno.test('a cut leaves what is on its sides', () => {
  const spans = new Spans([[1, Infinity]]);
  spans.cut(5, 9);
  assert.deepEqual(spans.all, [[1, 4], [10, Infinity]]);
  spans.cut(0, 20);
  assert.deepEqual(spans.all, [[21, Infinity]]);
  assert.deepEqual(spans.copy().all, spans.all);
});

Deno.test('they are what a set of numbers is, whatever is added and cut', () => {
  const random = chance(7);
  const number = () => 1 + Math.floor(random() * 30);
  for (let round = 0; round < 300; round++) {
    const spans = new Spans();
    const set = new Set();
    for (let step = 0; step < 8; step++) {
      const first = number();
      const last = first + Math.floor(random() * 8);
      const isCut = random() < 0.4;
      spans[isCut ? 'cut' : 'add'](first, last);
      for (let id = first; id <= last; id++) isCut ? set.delete(id) : set.add(id);
    }
    for (let id = 0; id < 45; id++) assert.equal(spans.has(id), set.has(id));
    const apart = spans.all.every(([first], index) => index === 0 || spans.all[index - 1][1] + 1 < first);
    assert.ok(apart, 'sorted, and apart');
  }
});
