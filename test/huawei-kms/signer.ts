import { createHash, createHmac } from 'node:crypto';

/** What a client signs with. */
export interface Credential {
  readonly accessKeyId: string;
  readonly secret: string;
}

export interface Signing {
  readonly method: string;
  /** Path and query as they go over the wire. */
  readonly path: string;
  /** Names in lower case. All of them are signed; `host` and `x-sdk-date` are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** `scoped`: the older form, `Credential=`. */
  readonly form: 'access' | 'scoped';
  readonly host: string;
  readonly date?: Date;
  /** The path that is signed, where it is another than the one that is sent. */
  readonly signedPath?: string;
}

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
const hash = (text: string) => createHash('sha256').update(text).digest('hex');

/** The headers of a signed request, as the vendor's SDKs in other languages than ours make them. */
export function signed({ accessKeyId, secret }: Credential, request: Signing): Record<string, string> {
  const { method, path, body, form, host, date = new Date() } = request;
  const stamp = date.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const headers: Record<string, string> = { ...request.headers, host, 'x-sdk-date': stamp };
  const names = Object.keys(headers).sort();
  const [pathname = '', query = ''] = (request.signedPath ?? path).split('?');
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
  const payload = headers['x-sdk-content-sha256'] ?? hash(body);
  const canonical = [method, `${pathname}/`, query.split('&').sort().join('&'), lines, names.join(';'), payload];
  const day = stamp.slice(0, 8);
  const scope = `${day}///sdk_request`;
  const key = [day, '', '', 'sdk_request'].reduce<Buffer>(hmac, Buffer.from(`SDK${secret}`));
  const text = hash(canonical.join('\n'));
  const signature =
    form === 'access'
      ? hmac(secret, `SDK-HMAC-SHA256\n${stamp}\n${text}`)
      : hmac(key, `SDK-HMAC-SHA256\n${stamp}\n${scope}\n${text}`);
  const who = form === 'access' ? `Access=${accessKeyId}` : `Credential=${accessKeyId}/${scope}`;
  const authorization = `SDK-HMAC-SHA256 ${who}, SignedHeaders=${names.join(';')}, Signature=${signature.toString('hex')}`;
  return { ...headers, authorization };
}
