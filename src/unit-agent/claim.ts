import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { inShape } from '../admins/command-args.js';
import { readAdminKey } from '../admins/public-key.js';
import { sha256 } from '../shared/bytes.js';
import { messageOf, needs } from '../shared/errors.js';
import { assertAllowed } from '../shared/unit-state.js';
import type { CryptoUnit } from './crypto-unit.js';
import { stateByRecord } from './facts.js';
import { ADMIN_CERTIFICATE_LABEL } from './journal.js';
import { FIRST_ADMIN, type ReceiptAnswer } from './protocol.js';
import { signReceipt } from './receipts.js';
import { kidOf, recordFacts, type UnitRecord } from './unit-record.js';
import { enrolled } from './users.js';

const ClaimBody = z.strictObject({ plan: z.uuid(), instance: z.string(), certificate: z.string().max(16_384) });

/**
 * Takes ownership: the key becomes the unit's first administrator, who alone signs from now on. The one act that nobody
 * signs; so it is allowed only while the unit is reserved. The same administrator again changes nothing and gets a receipt.
 */
export function claim(unit: CryptoUnit, body: unknown): ReceiptAnswer {
  const { plan, instance, certificate } = inShape(ClaimBody, body, 'the claim', 'BAD_REQUEST');
  const mine = unit.dir.config.instance ?? instance; // an agent that runs by itself belongs to whoever claims it
  needs(instance === mine, 'COMMAND_TARGET', `this crypto unit is of instance ${mine}; claim it there`);
  const admin = readAdminKey(certificate);
  const record = unit.record();
  if (record) return claimedAlready(unit, record, plan, admin.kid);
  const token = unit.keeper.token();
  const unitMac = randomBytes(16);
  const receiptKeyId = randomBytes(16);
  const certificateId = admin.certificate && randomBytes(16);
  try {
    token.generateUnitMac(unitMac);
    const spki = token.generateReceiptKey(receiptKeyId);
    if (admin.certificate && certificateId)
      token.createCertificate(ADMIN_CERTIFICATE_LABEL, certificateId, admin.certificate);
    const fresh: Omit<UnitRecord, 'seq' | 'plans'> = {
      v: 1,
      unit: unit.dir.id,
      serial: token.serial,
      instance,
      epoch: sha256(Buffer.concat([token.random(32), randomBytes(32)]))
        .subarray(0, 16)
        .toString('hex'),
      counter: 0,
      threshold: 1,
      admins: [enrolled(FIRST_ADMIN, admin, certificateId?.toString('hex') ?? null)],
      kmsUser: null,
      mk: null,
      receiptKey: { id: receiptKeyId.toString('hex'), spki: spki.toString('base64') },
      unitMac: unitMac.toString('hex'),
    };
    const receipt = claimReceipt(unit, { ...fresh, seq: 1, plans: [] }, plan);
    const plans = [{ plan, digest: admin.kid, op: 'claim' as const, counter: 0, receipt }];
    const claimed = unit.journal().commit({ ...fresh, plans });
    unit.log.info({ event: 'claimed', unitKey: kidOf(claimed.receiptKey.spki), admin: admin.kid });
    return { receipt };
  } catch (cause) {
    undo(unit);
    throw cause;
  }
}

/** What the claim made is named by no record: reading the token again sweeps it, or keeps it if the commit was done. */
function undo(unit: CryptoUnit): void {
  try {
    unit.reload();
  } catch (cause) {
    unit.log.error({ event: 'claim-not-undone', message: messageOf(cause) });
    unit.keeper.suspect(); // the next open sweeps
  }
}

function claimedAlready(unit: CryptoUnit, record: UnitRecord, plan: string, kid: string): ReceiptAnswer {
  const known = record.plans.find((one) => one.plan === plan);
  if (known) {
    needs(
      known.op === 'claim' && known.digest === kid,
      'PLAN_REUSED',
      `plan ${plan} was another command; use a new one`,
    );
    if (known.receipt !== null) return { receipt: known.receipt };
  }
  if (!record.admins.some(({ spki }) => kidOf(spki) === kid)) assertAllowed('claim', stateByRecord(record));
  return { receipt: claimReceipt(unit, record, plan) };
}

function claimReceipt(unit: CryptoUnit, record: UnitRecord, plan: string): string {
  const said = { plan, nonce: null, digest: null, op: 'claim', outcome: 'ok', error: null } as const;
  return signReceipt(unit.keeper.token(), record, { ...said, facts: { ...recordFacts(record) } });
}
