import assert from 'node:assert/strict';
import { split } from '../../service/listeners/web/page/paste.js';

Deno.test('a long text is cut at line ends, and nothing of it is lost', () => {
  assert.deepEqual(split('aa\nbb\ncc', 5), ['aa\nbb', 'cc']);
  assert.deepEqual(split('aa\nbb\ncc', 4), ['aa', 'bb', 'cc']);
  assert.deepEqual(split('short', 5), ['short']);
});

Deno.test('a line that is too long by itself is cut between characters', () => {
  assert.deepEqual(split('abcdefg\nh', 3), ['abc', 'def', 'g\nh']);
  assert.deepEqual(split('🚀🚀🚀', 2), ['🚀🚀', '🚀']);
});
