import { routedUrl } from './deprecated-action.js';

it.each([
  ['POST', '/api/v2/keys/a-key?action=wrap', '/api/v2/keys/a-key/actions/wrap'],
  ['POST', '/api/v2/keys/a-key?x=1&action=unsetKeyForDeletion', '/api/v2/keys/a-key/actions/unsetKeyForDeletion'],
  ['POST', '/api/v2/keys/a-key?action=restore', '/api/v2/keys/a-key/restore'],
  ['POST', '/api/v2/keys/a-key?action=fly', '/api/v2/keys/a-key?action=fly'],
  ['POST', '/api/v2/keys/a-key?action=..%2Fpurge', '/api/v2/keys/a-key?action=..%2Fpurge'],
  ['GET', '/api/v2/keys/a-key?action=wrap', '/api/v2/keys/a-key?action=wrap'],
  ['POST', '/api/v2/keys/a-key/restore?action=wrap', '/api/v2/keys/a-key/restore?action=wrap'],
  ['POST', '/api/v2/keys?action=wrap', '/api/v2/keys?action=wrap'],
])('%s %s is routed as %s', (method, url, routed) => {
  expect(routedUrl({ method, url })).toBe(routed);
});
