import { type Receipt, readReceipt } from '../admins/receipt.js';
import { isErrorCode, KeysteadError, needs } from '../shared/errors.js';
import type { SignedOp } from '../shared/unit-state.js';
import type { Api } from './api.js';
import type { Operation } from './api-shapes.js';
import { type CliContext, CommandFailure } from './context.js';

const PENDING_PATIENCE_MS = 60_000;
const PENDING_POLL_MS = 500;

/** A unit that a command is for: the receipt key that it is believed by, what it is, and its counter before the command. */
export interface Asked {
  readonly unit: { readonly id: string; readonly instanceId: string };
  readonly spki: Buffer;
  readonly receipt: Pick<Receipt, 'serial' | 'epoch'>;
  readonly counter: number;
}

/** Has the server send the documents, and waits until every unit answered, for a minute at most. */
export async function relay(ctx: CliContext, api: Api, plan: string, documents: readonly string[]): Promise<Operation> {
  try {
    let operation = await api.operate(documents);
    const deadline = Date.now() + PENDING_PATIENCE_MS;
    while (operation.units.some(({ outcome }) => outcome === 'pending') && Date.now() < deadline) {
      await ctx.wait(PENDING_POLL_MS);
      operation = await api.operation(operation.id);
    }
    return operation;
  } catch (cause) {
    if (!(cause instanceof KeysteadError) || cause.code !== 'SERVER_UNREACHABLE') throw cause;
    throw new CommandFailure(
      'SERVER_UNREACHABLE',
      `${cause.message}. The command may have reached the units: look before you repeat it`,
      `kp operation show ${plan}`,
      { cause },
    );
  }
}

/** The unit's own word that it did what was signed. Throws its refusal, or RECEIPT_INVALID. */
export function verifiedReceipt(
  operation: Operation,
  { unit, spki, receipt: proof, counter }: Asked,
  signed: { readonly op: SignedOp; readonly plan: string; readonly digest: string },
): Receipt {
  const answer = operation.units.find(({ id }) => id === unit.id);
  if (!answer?.receipt) throw unsigned(answer, unit);
  const receipt = readReceipt(answer.receipt, spki);
  const fits =
    receipt.op === signed.op &&
    receipt.plan === signed.plan &&
    receipt.digest === signed.digest &&
    receipt.unit === unit.id &&
    receipt.instance === unit.instanceId &&
    receipt.serial === proof.serial &&
    receipt.epoch === proof.epoch;
  needs(
    fits,
    'RECEIPT_INVALID',
    `the receipt of crypto unit ${unit.id} is for another command than the one signed now`,
  );
  if (receipt.error) throw new KeysteadError(receipt.error.code, receipt.error.message);
  needs(
    receipt.counter === counter + 1,
    'RECEIPT_INVALID',
    `the receipt of crypto unit ${unit.id} counts ${receipt.counter}, and the command was number ${counter + 1}`,
  );
  return receipt;
}

/** Why there is no receipt, as the server tells it. */
function unsigned(answer: Operation['units'][number] | undefined, unit: Asked['unit']): KeysteadError {
  if (answer?.outcome === 'pending') {
    return new KeysteadError('UNIT_UNREACHABLE', `crypto unit ${unit.id} has not answered yet; the operation goes on`);
  }
  if (answer?.error) {
    const { code, message } = answer.error;
    return new KeysteadError(isErrorCode(code) ? code : 'INTERNAL', message);
  }
  return new KeysteadError('RECEIPT_INVALID', `the server gave no receipt of crypto unit ${unit.id}`);
}
