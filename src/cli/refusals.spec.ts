import { HTTP_STATUS } from '../shared/errors.js';
import { refusalOf } from './refusals.js';

const url = new URL('http://server/api/v2/keys/payments/actions/wrap');
const answer = (status: number, resource: object) => ({ status, text: JSON.stringify({ resources: [resource] }) });
const reason = (status: number, code: string) =>
  refusalOf(answer(status, { errorMsg: `Conflict (${code})`, reasons: [{ code, message: 'No.', status }] }), url);

test.each([
  ['KEY_NOT_FOUND_ERR', 404, 'KEY_NOT_FOUND', 'kp keys --key-states active,suspended,deactivated,destroyed'],
  ['KEY_ACTION_INVALID_STATE_ERR', 409, 'KEY_STATE', 'kp key show payments --metadata'],
  ['KEY_DELETED_ERR', 410, 'KEY_DELETED', 'kp key restore payments'],
  ['REQ_TOO_EARLY_ERR', 409, 'REQUEST_TOO_EARLY', undefined],
  ['AUTHORIZATIONS_NOT_MET', 409, 'AUTHORIZATIONS_NOT_MET', 'kp key schedule-delete payments'],
  ['INVALID_FIELD_ERR', 400, 'FIELD_INVALID', undefined],
  ['UNPROCESSABLE_CIPHERTEXT_ERR', 422, 'CIPHERTEXT_INVALID', undefined],
  ['IMPORT_TOKEN_EXPIRED_ERR', 409, 'IMPORT_TOKEN_EXPIRED', 'kp import-token create'],
  ['FEATURE_RESTRICTED_ERR', 403, 'FEATURE_RESTRICTED', undefined],
  ['PROTECTED_RESOURCE_ERR', 409, 'PROTECTED_RESOURCE', 'kp registrations -k payments'],
  ['PREV_KEY_DEL_ERR', 409, 'KEY_RETAINED', undefined],
  ['SERVICE_UNAVAILABLE_ERR', 503, 'NO_HEALTHY_UPSTREAM', 'kp crypto-units'],
  ['TOO_MANY_REQUESTS_ERR', 429, 'RATE_LIMITED', undefined],
  ['UNIT_FAULT', 502, 'UNIT_FAULT', undefined],
  ['NEVER_HEARD_OF', 409, 'INSTANCE_STATE', undefined],
  ['constructor', 400, 'BAD_REQUEST', undefined],
])('reason %s with status %i is %s, and says what helps', (code, status, ours, next) => {
  const refusal = reason(status, code);
  expect(refusal).toMatchObject({ code: ours, message: 'No.' });
  expect('next' in refusal ? refusal.next : undefined).toBe(next);
  expect(HTTP_STATUS[refusal.code]).toBeDefined();
});

test('a 401 has no reasons: it is the API key, unless the words say that a role is missing', () => {
  const unknown = refusalOf(answer(401, { errorMsg: 'Unauthorized: the token is bad' }), url);
  expect(unknown).toMatchObject({
    code: 'UNAUTHENTICATED',
    message: expect.stringMatching(/^http:\/\/server does not accept the API key: /),
  });
  const role = 'Unauthorized: The user does not have access to the specified resource';
  expect(refusalOf(answer(401, { errorMsg: role }), url)).toMatchObject({ code: 'FORBIDDEN' });
});

test('the next command of a sentence is said once', () => {
  const message =
    'no healthy upstream: no crypto units; crypto unit a: kms-initialized (AgentDown); next: kp crypto-units';
  const reasons = [{ code: 'SERVICE_UNAVAILABLE_ERR', message, status: 503 }];
  expect(refusalOf(answer(503, { errorMsg: 'Service Unavailable', reasons }), url)).toMatchObject({
    message: 'no healthy upstream: no crypto units; crypto unit a: kms-initialized (AgentDown)',
    next: 'kp crypto-units',
  });
});

test("a plain line is taken at its word, as IBM's 503; a page is not", () => {
  const line = 'no healthy upstream: no crypto units are in kms-initialized state at this time';
  expect(refusalOf({ status: 503, text: line }, url)).toMatchObject({
    code: 'NO_HEALTHY_UPSTREAM',
    message: line,
    next: 'kp crypto-units',
  });
  for (const text of ['', '<html>Bad</html>', '{"a":', 'two\nlines', 'x'.repeat(400)]) {
    expect(refusalOf({ status: 502, text }, url).message).toBe(`http://server${url.pathname} answered 502`);
  }
});
