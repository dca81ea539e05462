import { FieldError, HTTP_STATUS, isErrorCode, KeysteadError } from '../../shared/errors.js';
import { answerTo, REASONS } from './errors.js';
import { InstanceHeaderError, WireError } from './refusals.js';
import { ErrorBody } from './wire.js';

const PHRASE = 'Key could not be disabled';
const answered = (error: KeysteadError) => {
  const { status, body } = answerTo(error, PHRASE);
  const { errorMsg, reasons } = ErrorBody.parse(body).resources[0];
  return { status, errorMsg, reason: reasons?.[0] };
};

it.each(Object.keys(REASONS).filter(isErrorCode))('%s has the shape of every error', (code) => {
  const { status, errorMsg, reason } = answered(new KeysteadError(code, 'a sentence'));
  if (status === 401) expect(reason).toBeUndefined();
  else expect(errorMsg.endsWith(`(${reason?.code})`)).toBe(true);
  if (code !== 'FORBIDDEN' && code !== 'CIPHERTEXT_INVALID') expect(status).toBe(HTTP_STATUS[code]);
});

it('puts the phrase of the operation before the code, and IBM’s words before ours', () => {
  const error = new KeysteadError('KEY_STATE', 'cannot disable a key that is suspended');
  expect(answered(error)).toEqual({
    status: 409,
    errorMsg:
      'Conflict: Key could not be disabled: Please see `reasons` for more details (KEY_ACTION_INVALID_STATE_ERR)',
    reason: {
      code: 'KEY_ACTION_INVALID_STATE_ERR',
      message: 'Key is not in a valid state: cannot disable a key that is suspended',
      status: 409,
      moreInfo: 'https://cloud.ibm.com/apidocs/key-protect',
    },
  });
});

it('says no more about a ciphertext or an import than that it does not open', () => {
  for (const code of ['CIPHERTEXT_INVALID', 'IMPORT_INVALID'] as const) {
    expect(answered(new KeysteadError(code, 'one'))).toEqual(answered(new KeysteadError(code, 'another')));
  }
});

it('begins a sentence of ours after one of IBM’s as a sentence begins', () => {
  const { reason } = answered(new KeysteadError('IMPORT_TOKEN_EXPIRED', 'make a new one'));
  expect(reason?.message).toBe('The import token has expired. Make a new one');
});

it('says once what we and IBM say in the same words', () => {
  const error = new KeysteadError('RESTORE_EXPIRED', 'Key restoration has expired');
  expect(answered(error).reason?.message).toBe('Key restoration has expired');
});

it.each(['2 to 3', 'The field `name` must be: 2 to 3'])('points at the field: %s', (message) => {
  const target = { type: 'field', name: 'name' } as const;
  const { reason } = answered(new FieldError('FIELD_INVALID', message, target));
  expect(reason).toMatchObject({ message: 'The field `name` must be: 2 to 3', target });
});

it('has reasons of its own for rules of the wire, and one sentence for a missing header', () => {
  expect(answered(new WireError('SERVICE_ONLY_ERR'))).toMatchObject({
    status: 403,
    reason: { code: 'SERVICE_ONLY_ERR' },
  });
  const { status, errorMsg, reason } = answered(new InstanceHeaderError());
  expect([status, reason]).toEqual([400, undefined]);
  expect(errorMsg).toMatch(/^Bad Request: Request requires valid Bluemix-Instance Header/);
});

it('tells a caller who is unknown from one who may not, without reasons', () => {
  expect(answered(new KeysteadError('FORBIDDEN', 'needs Manager')).errorMsg).toBe(
    'Unauthorized: The user does not have access to the specified resource',
  );
});
