import assert from 'node:assert/strict';
import { partsOf } from '../../service/listeners/web/page/search.js';

Deno.test('each word that was looked for is a part of its own', () => {
  assert.deepEqual(partsOf('The Deploy is done', 'deploy'), ['The ', 'Deploy', ' is done']);
  assert.deepEqual(partsOf('a+b and (c)', 'a+b (c)'), ['', 'a+b', ' and ', '(c)', '']);
  assert.deepEqual(partsOf('as it is', ' '), ['as it is']);
});
