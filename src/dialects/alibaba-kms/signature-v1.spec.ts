import { formPairs } from './percent.js';
import { signatureV1, stringToSignV1 } from './signature-v1.js';

/** What the clients sent for CreateKey with the secret `testsecret`: their method, query or form, and signature. */
const SENT: readonly (readonly [client: string, method: string, parameters: string, signature: string])[] = [
  [
    'npm kms20160120@1.2.0 CreateKey (POST, query)',
    'POST',
    'Action=CreateKey&Format=json&Timestamp=2026-11-22T00%3A46%3A23Z&Version=2016-01-20&SignatureNonce=3203417acbe8a4f474d310647530c914&Description=External%20key%20a%2Bb%20c*d~e%27(f)!%C3%A9&Origin=EXTERNAL&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&AccessKeyId=testid&Signature=2WdwprHcTHjz2Jn669k20bP7PS0%3D',
    '2WdwprHcTHjz2Jn669k20bP7PS0=',
  ],
  [
    'pop-core@1.8.0 CreateKey (GET)',
    'GET',
    'AccessKeyId=testid&Action=CreateKey&Description=a%2Bb%20c%2Ad~e%27%28f%29%21%C3%A9&Format=JSON&Origin=EXTERNAL&SignatureMethod=HMAC-SHA1&SignatureNonce=eab16dfdb63acfc93239e935f689f087&SignatureVersion=1.0&Timestamp=2026-11-22T00%3A46%3A37Z&Version=2016-01-20&Signature=X%2B8S43gPrq6k6xadNaYS6LZR2h8%3D',
    'X+8S43gPrq6k6xadNaYS6LZR2h8=',
  ],
  [
    'pop-core@1.8.0 CreateKey (POST form)',
    'POST',
    'AccessKeyId=testid&Action=CreateKey&Description=a%2Bb%20c%2Ad~e%27%28f%29%21%C3%A9&Format=JSON&Origin=EXTERNAL&SignatureMethod=HMAC-SHA1&SignatureNonce=e2e40c67b3736b1bc2cfc58820fb478b&SignatureVersion=1.0&Timestamp=2026-11-22T00%3A46%3A37Z&Version=2016-01-20&Signature=kxHHUM%2FAcxIdo4WIzUC6C5dz%2BkQ%3D',
    'kxHHUM/AcxIdo4WIzUC6C5dz+kQ=',
  ],
  [
    'alibaba-cloud-sdk-go CreateKey',
    'POST',
    'AccessKeyId=testid&Action=CreateKey&Description=External+key+a%2Bb+c%2Ad~e%27%28f%29%21%C3%A9&Format=JSON&Origin=EXTERNAL&RegionId=cn-hangzhou&Signature=SqWZnnrFiA3CTirFGpkjvX8LkDI%3D&SignatureMethod=HMAC-SHA1&SignatureNonce=37e7c59a7a7ba9215fad3fdb98b6efa2&SignatureType=&SignatureVersion=1.0&Timestamp=2026-11-22T00%3A49%3A05Z&Version=2016-01-20',
    'SqWZnnrFiA3CTirFGpkjvX8LkDI=',
  ],
  [
    'aliyun-python-sdk-core CreateKey',
    'POST',
    'Origin=EXTERNAL&Description=a%2Bb%20c%2Ad~e%27%28f%29%21%C3%A9&Version=2016-01-20&Action=CreateKey&Format=JSON&RegionId=cn-hangzhou&Timestamp=2026-11-22T01%3A01%3A40Z&SignatureMethod=HMAC-SHA1&SignatureType=&SignatureVersion=1.0&SignatureNonce=643d18f3b26bfaa3c617f260186c045e&AccessKeyId=testid&Signature=8gKUrhJ8G0ituEiapsEXYl0o5GQ%3D',
    '8gKUrhJ8G0ituEiapsEXYl0o5GQ=',
  ],
  [
    'aliyun-java-sdk-core CreateKey',
    'POST',
    'Origin=EXTERNAL&SignatureVersion=1.0&Action=CreateKey&Format=JSON&Description=External%20key%20a%2Bb%20c*d%7Ee%27%28f%29%21%C3%A9&SignatureNonce=3d8c0c08199b12396d8e1d3049267b51&Version=2016-01-20&AccessKeyId=testid&Signature=gJvdl5IgbC6ZoCPNa%2B31RsBCV0Y%3D&SignatureMethod=HMAC-SHA1&RegionId=cn-hangzhou&Timestamp=2026-11-22T01%3A00%3A43Z',
    'gJvdl5IgbC6ZoCPNa+31RsBCV0Y=',
  ],
  [
    'the example of the vendor’s KMS documentation, without the part that nobody encoded there',
    'GET',
    'Action=CreateKey&SignatureVersion=1.0&Format=json&Version=2016-01-20&AccessKeyId=testid&SignatureMethod=HMAC-SHA1&Timestamp=2016-03-28T03:13:08Z',
    '41wk2SSX1GJh7fwnc5eqOfiJPFg=',
  ],
];

it.each(SENT)('recomputes the signature of %s', (_client, method, parameters, signature) => {
  const stringToSign = stringToSignV1(method, formPairs(parameters));
  expect(signatureV1(Buffer.from('testsecret'), stringToSign).toString('base64')).toBe(signature);
});

it('signs the decoded parameters, encoded in one way', () => {
  const text = stringToSignV1('POST', formPairs('b=%27+(x)~*&a=&Signature=no&c%C3%A9'));

  expect(text).toBe('POST&%2F&a%3D%26b%3D%2527%2520%2528x%2529~%252A%26c%25C3%25A9%3D');
});
