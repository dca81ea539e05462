import { violationsOf } from './described.js';

/** The check by which every test holds the answers of Key Protect's routes against docs/openapi.json. */
const token = { expirationDate: '2026-01-01T00:00:00Z', creationDate: '2026-01-01T00:00:00Z', maxAllowedRetrievals: 1, remainingRetrievals: 1 }; // biome-ignore format: one line
const refusal = {
  metadata: { collectionType: 'application/vnd.ibm.kms.error+json', collectionTotal: 1 },
  resources: [{ errorMsg: 'Bad Request: no' }],
};
const made = (body: unknown, status = 200) => ({ method: 'POST', path: '/api/v2/import_token', status, text: JSON.stringify(body) }); // biome-ignore format: one line

it.each([
  ['an answer as described', made(token)],
  ['a refusal', made(refusal, 400)],
  ['a refusal where there is no operation', { ...made(refusal, 404), path: '/api/v2/nothing' }],
  ['a path of nobody', { ...made({}), path: '/api/v1/instances' }],
  ['an answer without a body', { method: 'DELETE', path: '/api/v2/keys/1/aliases/a', status: 204, text: '' }],
])('passes %s', (_what, exchange) => {
  expect(violationsOf(exchange)).toEqual([]);
});

it.each([
  ['a member that is not described', made({ ...token, more: 1 }), 'must NOT have additional properties'],
  ['a member too few', made({ ...token, creationDate: undefined }), 'must have required property'],
  ['a value of another form', made({ ...token, creationDate: 'yesterday' }), 'must match pattern'],
  ['what is not JSON', { ...made({}), text: 'yes' }, 'must be object'],
  ['another status', made(token, 201), 'the status is not described'],
  ['a refusal of another form', made({ message: 'no' }, 400), 'must have required property'],
  ['an operation that is not described', { ...made({}), path: '/api/v2/nothing' }, 'no such operation'],
  ['a body too many', { method: 'DELETE', path: '/api/v2/keys/1/aliases/a', status: 204, text: '{}' }, 'a body where'],
])('finds %s', (_what, exchange, problem) => {
  expect(violationsOf(exchange)).toEqual([expect.stringContaining(problem)]);
});
