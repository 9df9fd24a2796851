import assert from 'node:assert/strict';
import { Memory } from '../../service/listeners/web/page/environment.js';
import { Vault } from '../../service/listeners/web/page/vault.js';
import { Clock, environmentOf, PlayedSocket } from './fakes.js';

const make = (/** @type {object} */ rest = {}) => environmentOf(() => new PlayedSocket(), new Clock(), rest);

Deno.test('who stays logged in is found after the browser has ended, others only in this tab', () => {
  const environment = make();
  const vault = new Vault(environment);
  vault.stays = true;
  vault.keep('alice', 'long');
  assert.deepEqual(new Vault({ ...environment, tab: new Memory() }).find(), {
    name: 'alice',
    token: 'long',
    stays: true,
  });
  vault.stays = false;
  vault.keep('bob', 'short');
  assert.deepEqual(new Vault(environment).find(), { name: 'bob', token: 'short', stays: false });
});

Deno.test('over http to another machine nothing leaves the page', () => {
  const environment = make({ isSecure: false, local: null, tab: null });
  const vault = new Vault(environment);
  assert.equal(vault.keeps, false);
  vault.keep('alice', 'token');
  assert.equal(vault.find()?.token, 'token');
  assert.equal(new Vault(environment).find(), null);
});

Deno.test('a token is forgotten, but not the newer one that another tab has kept', () => {
  const environment = make();
  const vault = new Vault(environment);
  vault.stays = true;
  vault.keep('alice', 'new');
  vault.forget('old');
  assert.equal(vault.find('old')?.token, 'new');
  assert.equal(vault.find('new'), null);
  vault.forget('new');
  assert.equal(vault.find(), null);
});

Deno.test('what is no token is none', () => {
  const environment = make();
  for (const text of ['x', '{}', '{"name":1,"token":"t"}', 'null', '']) {
    environment.local?.setItem('chat:token', text);
    assert.equal(new Vault(environment).find(), null);
  }
});

Deno.test('a drawer is for one account, and is emptied or taken along with its outbox', () => {
  const environment = make();
  const vault = new Vault(environment);
  const drawer = vault.drawer('alice');
  drawer.set('draft:#', 'half a word');
  vault.drawer('bob').set('draft:#', 'other');
  vault.area.setItem('chat:outbox:alice:1', 'text');
  vault.empty('alice', 'alicia');
  assert.equal(drawer.get('draft:#'), null);
  assert.equal(vault.drawer('alicia').get('draft:#'), 'half a word');
  assert.equal(vault.area.getItem('chat:outbox:alicia:1'), 'text');
  vault.empty('alicia');
  assert.equal(vault.area.length, 1);
  vault.drawer('bob').remove('draft:#');
  assert.equal(vault.area.length, 0);
});

Deno.test('what a full storage does not take is kept as long as the page is; that the token is not is known', () => {
  const environment = make();
  const vault = new Vault(environment);
  vault.stays = true;
  const drawer = vault.drawer('alice');
  drawer.set('draft #', 'one');
  const { local } = environment;
  assert.ok(local);
  const setItem = local.setItem;
  local.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  drawer.set('draft #', 'two');
  vault.keep('alice', 'token');
  assert.deepEqual([drawer.get('draft #'), vault.keeps], ['two', false]);
  local.setItem = setItem;
  vault.keep('alice', 'token');
  drawer.set('draft #', 'three');
  assert.deepEqual([drawer.get('draft #'), local.getItem('chat:kept:alice:draft #'), vault.keeps], [
    'three',
    'three',
    true,
  ]);
  drawer.remove('draft #');
  assert.equal(drawer.get('draft #'), null);
});
