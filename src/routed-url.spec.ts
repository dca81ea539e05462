import { routedUrl } from './routed-url.js';

const routed = (method: string, url: string, headers: Record<string, string> = {}) =>
  routedUrl({ method, url, headers });

it('gives / to Alibaba for every POST, and for a GET that names an action', () => {
  expect(routed('POST', '/')).toBe('/alibaba-kms');
  expect(routed('POST', '/?Action=CreateKey&A=%2F')).toBe('/alibaba-kms?Action=CreateKey&A=%2F');
  expect(routed('GET', '/?Version=1&Action=ListKeys')).toBe('/alibaba-kms?Version=1&Action=ListKeys');
  expect(routed('GET', '/', { 'x-acs-action': 'ListKeys' })).toBe('/alibaba-kms');
});

it('gives / to Huawei for every other GET', () => {
  expect(routed('GET', '/')).toBe('/');
  expect(routed('GET', '/?limit=1')).toBe('/?limit=1');
});

it('routes versions with a slash at the end as without', () => {
  expect(routed('GET', '/v3/')).toBe('/v3');
  expect(routed('GET', '/v1.0/?a=b')).toBe('/v1.0?a=b');
  expect(routed('GET', '/v3/auth/domains')).toBe('/v3/auth/domains');
});

it('knows the deprecated actions of Key Protect', () => {
  expect(routed('POST', '/api/v2/keys/x?action=wrap')).toBe('/api/v2/keys/x/actions/wrap');
});
