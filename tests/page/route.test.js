import assert from 'node:assert/strict';
import { read, write } from '../../service/listeners/web/page/route.js';

Deno.test('an address leads to the place that it was made for', () => {
  for (const target of ['#', '#ops', '@bob', '#a/b', '@你好', '#100%', '#members']) {
    assert.deepEqual(read(write(target)), { target, id: 0, pane: 'talk' });
    assert.deepEqual(read(write(target, 118)), { target, id: 118, pane: 'talk' });
    assert.deepEqual(read(write(target, 'members')), { target, id: 0, pane: 'members' });
  }
  assert.equal(write('@bob'), '#/@bob');
});

Deno.test('an address that says nothing is the list', () => {
  for (const hash of ['', '#', '#ops', '#/ops/x', '#/%', '#/ops/1/2', '#/ops/1234567890123456']) {
    assert.deepEqual(read(hash), { target: '', id: 0, pane: 'list' });
  }
});
