import { FieldError, HTTP_STATUS, isErrorCode, KeysteadError, RateLimitError } from '../../shared/errors.js';
import { answerTo, REASONS } from './errors.js';
import { GatewayRefusal, HuaweiRefusal, isKmsCode, KMS_ERRORS } from './refusals.js';

const ID = '0b0e6e38-7f0e-4f0b-9f6b-2f4a3f1d9a11';

it.each(Object.keys(REASONS).filter(isErrorCode))('%s has the shape of every error, twice', (code) => {
  const { status, body } = answerTo(new KeysteadError(code, 'a sentence'), ID);
  const { error, ...top } = body as { error: { error_code: string; error_msg: string } };
  expect(top).toEqual(error);
  expect(error.error_code).toMatch(/^KMS\.\d{4}$/);
  expect(isKmsCode(error.error_code) && KMS_ERRORS[error.error_code][0]).toBe(status);
  expect(error.error_msg).not.toBe('');
});

it.each(Object.keys(REASONS).filter(isErrorCode))(
  '%s is a fault of the server here when it is one elsewhere',
  (code) => {
    if (HTTP_STATUS[code] >= 500) expect(KMS_ERRORS[REASONS[code]][0]).toBeGreaterThanOrEqual(500);
  },
);

it('says in the vendor’s words what the vendor says', () => {
  expect(answerTo(new KeysteadError('KEY_NOT_FOUND', 'there is no key x'), ID)).toEqual({
    status: 404,
    body: {
      error: { error_code: 'KMS.0207', error_msg: 'The key does not exist.' },
      error_code: 'KMS.0207',
      error_msg: 'The key does not exist.',
    },
  });
});

it('lets an operation call a refusal otherwise', () => {
  const { body } = answerTo(new KeysteadError('KEY_STATE', 'a sentence'), ID, { KEY_STATE: 'KMS.1201' });
  expect(body).toMatchObject({ error_code: 'KMS.1201', error_msg: 'The key is not disabled.' });
});

it('says more where the vendor’s words say little', () => {
  const field = new FieldError('FIELD_INVALID', 'the name must be: shorter', { type: 'field', name: 'name' });
  expect(answerTo(field, ID).body).toMatchObject({ error_msg: 'Invalid parameter. the name must be: shorter' });
  expect(answerTo(new HuaweiRefusal('KMS.0308'), ID).body).toMatchObject({ error_msg: 'Invalid parameter.' });
});

it('says no more about a ciphertext or an import than that it does not open', () => {
  for (const code of ['CIPHERTEXT_INVALID', 'IMPORT_INVALID'] as const) {
    expect(answerTo(new KeysteadError(code, 'one'), ID)).toEqual(answerTo(new KeysteadError(code, 'another'), ID));
  }
});

it.each([
  [new GatewayRefusal('missing'), 'x-auth-token not found'],
  [new GatewayRefusal('signature'), 'verify aksk signature fail'],
  [new RateLimitError('too many', 3), 'AK access failed to reach the limit,forbidden'],
])('leaves callers that are not known to the gateway, in its flat shape', (error, why) => {
  expect(answerTo(error, ID)).toEqual({
    status: 401,
    body: {
      error_msg: `Incorrect IAM authentication information: ${why}`,
      error_code: 'APIGW.0301',
      request_id: ID.replaceAll('-', ''),
    },
  });
});
