import { isAlibabaRequest } from './route.js';

it.each([
  ['POST', '/', {}, true],
  ['POST', '/?Action=ListKeys', {}, true],
  ['GET', '/?Action=ListKeys', {}, true],
  ['GET', '/?Version=2016-01-20&Action=ListKeys', {}, true],
  ['GET', '/', { 'x-acs-action': 'ListKeys' }, true],
  ['PUT', '/?Action=ListKeys', {}, true],
  ['GET', '/', {}, false],
  ['GET', '/?TransAction=1', {}, false],
  ['GET', '/v3?Action=ListKeys', {}, false],
  ['POST', '/api/v2/keys', { 'x-acs-action': 'ListKeys' }, false],
])('%s %s %j is for this dialect: %s', (method, url, headers, is) => {
  expect(isAlibabaRequest({ method, url, headers })).toBe(is);
});
