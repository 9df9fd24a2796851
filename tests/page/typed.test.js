import assert from 'node:assert/strict';
import { parseLine } from '../../service/listeners/web/page/typed.js';

Deno.test('a typed line is a text, an action, or no operation', () => {
  assert.deepEqual(parseLine('hi \n'), { text: 'hi', kind: '' });
  assert.deepEqual(parseLine('/me waves\nand goes'), { text: 'waves\nand goes', kind: 'action' });
  assert.deepEqual(parseLine('//me'), { text: '/me', kind: '' });
  assert.deepEqual(parseLine('/etc/passwd'), { text: '/etc/passwd', kind: '' });
  assert.ok('error' in parseLine('/me'));
  assert.ok('error' in parseLine('/join ops'));
});
