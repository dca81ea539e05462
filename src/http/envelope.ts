import { STATUS_CODES } from 'node:http';
import { type ErrorCode, HTTP_STATUS, type KeysteadError } from '../shared/errors.js';

/** IBM Key Protect's error body. A 401 has no reasons: it must not say what was wrong with the credentials. */
export interface ErrorEnvelope {
  readonly metadata: { readonly collectionType: 'application/vnd.ibm.kms.error+json'; readonly collectionTotal: 1 };
  readonly resources: readonly [
    {
      readonly errorMsg: string;
      readonly reasons?: readonly [{ readonly code: ErrorCode; readonly message: string; readonly status: number }];
    },
  ];
}

export function envelopeOf({ code, message }: KeysteadError): ErrorEnvelope {
  const status = HTTP_STATUS[code];
  const phrase = STATUS_CODES[status] ?? 'Error';
  const resource =
    code === 'UNAUTHENTICATED'
      ? { errorMsg: `${phrase}: ${message}` }
      : {
          errorMsg: `${phrase}: ${message}: Please see \`reasons\` for more details (${code})`,
          reasons: [{ code, message, status }] as const,
        };
  return {
    metadata: { collectionType: 'application/vnd.ibm.kms.error+json', collectionTotal: 1 },
    resources: [resource],
  };
}
