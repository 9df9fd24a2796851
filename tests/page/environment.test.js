import assert from 'node:assert/strict';
import { Memory } from '../../service/listeners/web/page/environment.js';

Deno.test('memory keeps strings as the storage of a browser does', () => {
  const memory = new Memory();
  assert.deepEqual([memory.length, memory.getItem('a'), memory.key(0)], [0, null, null]);
  memory.setItem('a', '1');
  memory.setItem('b', '2');
  memory.setItem('a', '3');
  assert.deepEqual([memory.length, memory.getItem('a'), memory.key(1)], [2, '3', 'b']);
  memory.removeItem('a');
  memory.removeItem('a');
  assert.deepEqual([memory.length, memory.key(0)], [1, 'b']);
});
