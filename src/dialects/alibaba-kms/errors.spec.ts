import { FieldError, isErrorCode, KeysteadError } from '../../shared/errors.js';
import { answerTo, inAlibabaWords, MEANINGS } from './errors.js';
import { ALIBABA_REASONS, AlibabaError, type AlibabaReason, ParameterError } from './refusals.js';

const answered = (error: KeysteadError) => answerTo(error, 'aa-bb', 'kms.example');

it.each(Object.keys(MEANINGS).filter(isErrorCode))('%s has the shape of every error', (code) => {
  const { status, body } = answered(new KeysteadError(code, 'a sentence'));
  const { reason } = MEANINGS[code];
  expect(status).toBe(ALIBABA_REASONS[reason][0]);
  expect(body).toEqual({
    HttpStatus: status,
    Code: reason,
    Message: expect.stringMatching(/\S/),
    RequestId: 'AA-BB',
    HostId: 'kms.example',
  });
});

it.each(Object.keys(ALIBABA_REASONS) as AlibabaReason[])('%s is said in its own words', (reason) => {
  expect(answered(new AlibabaError(reason)).body).toMatchObject({ Code: reason, Message: ALIBABA_REASONS[reason][1] });
});

it('puts Alibaba’s words before ours', () => {
  const { body } = answered(new KeysteadError('KEY_NOT_FOUND', 'there is no key x'));
  expect(body).toMatchObject({ Message: 'The specified Key is not found. there is no key x' });
});

it('says no more about an import or a ciphertext than that it does not open', () => {
  const material = [
    'IMPORT_INVALID',
    'MATERIAL_LENGTH',
    'MATERIAL_MISMATCH',
    'TEMPORARY_KEY_LENGTH',
    'PRIVATE_KEY_INVALID',
  ] as const;
  const tokens = ['IMPORT_TOKEN_INVALID', 'IMPORT_TOKEN_OTHER_KEY'] as const;
  const all = (codes: readonly (keyof typeof MEANINGS)[]) =>
    new Set(
      codes.flatMap((code) => ['one', 'other'].map((text) => JSON.stringify(answered(new KeysteadError(code, text))))),
    );
  expect([...all(material)]).toHaveLength(1);
  expect([...all(tokens)]).toHaveLength(1);
  expect([...all(['CIPHERTEXT_INVALID'])]).toHaveLength(1);
  expect([...all(['FORBIDDEN'])]).toHaveLength(1);
});

it('names the parameter at fault', () => {
  const message = (error: KeysteadError) => (answered(error).body as { Message: string }).Message;
  expect(message(new KeysteadError('EXPIRY_PAST', 'it is past'))).toBe(
    'The specified parameter "KeyMaterialExpireUnix" is not valid.',
  );
  const field = new FieldError('FIELD_INVALID', 'the field must be: short', { type: 'field', name: 'labels' });
  expect(message(field)).toBe('The specified parameter "labels" is not valid. It must be short.');
  expect(message(new ParameterError('MissingParameter', 'KeyId'))).toBe(
    'The parameter "KeyId" is needed but not provided.',
  );
});

it('lets an operation call a code by another name', () => {
  const error = new KeysteadError('DELETION_PENDING', 'it goes');
  expect(inAlibabaWords(error).reason).toBe('Rejected.PendingDeletion');
  expect(inAlibabaWords(error, { DELETION_PENDING: 'Rejected.StateModifiedFailed' }).reason).toBe(
    'Rejected.StateModifiedFailed',
  );
});
