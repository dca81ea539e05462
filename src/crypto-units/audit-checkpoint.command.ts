import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { AuditCheckpoint } from '../audit/audit-checkpoint.entity.js';
import type { Initiator } from '../audit/audit-entry.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Permission } from '../shared/permissions.js';
import { AuditCheckpoints } from './audit-checkpoints.js';

/** A checkpoint as it is shown: the signed document, and what finds its key. */
export interface ShownCheckpoint {
  readonly unitId: string;
  readonly instanceId: string;
  readonly size: number;
  /** 64 hex digits. */
  readonly root: string;
  readonly at: string;
  /** JWS compact, ES256. */
  readonly document: string;
  /** SPKI of the receipt key, base64. */
  readonly receiptKey: string;
}

export interface ShownRound {
  readonly checkpoints: readonly ShownCheckpoint[];
  readonly failed: readonly { readonly unitId: string; readonly message: string }[];
}

/** Has every serving unit sign the audit log as it is now. */
export class TakeCheckpoint extends Command<ShownRound> {
  static readonly permission: Permission = 'audit.checkpoint';
  static readonly act = 'audit.checkpoint';
  constructor(readonly by: Initiator) {
    super();
  }
}

@CommandHandler(TakeCheckpoint)
export class TakeCheckpointHandler implements ICommandHandler<TakeCheckpoint> {
  constructor(
    private readonly audit: AuditLog,
    private readonly checkpoints: AuditCheckpoints,
  ) {}

  /** The line of the act comes first: the checkpoint covers it. */
  async execute({ by }: TakeCheckpoint): Promise<ShownRound> {
    await this.audit.record({ act: TakeCheckpoint.act, outcome: 'success', by });
    const { signed, failed } = await this.checkpoints.take();
    return { checkpoints: signed.map(shown), failed };
  }
}

/** The newest checkpoint of each unit that is in use. */
export class ReadCheckpoints extends Query<ShownCheckpoint[]> {
  static readonly permission: Permission = 'audit.read';
}

@QueryHandler(ReadCheckpoints)
export class ReadCheckpointsHandler implements IQueryHandler<ReadCheckpoints> {
  constructor(private readonly checkpoints: AuditCheckpoints) {}

  async execute(): Promise<ShownCheckpoint[]> {
    return (await this.checkpoints.newest()).map(shown);
  }
}

function shown({ unitId, instanceId, size, root, at, document, receiptKey }: AuditCheckpoint): ShownCheckpoint {
  return {
    unitId,
    instanceId,
    size: Number(size),
    root: root.toString('hex'),
    at: at.toISOString(),
    document,
    receiptKey: receiptKey.toString('base64'),
  };
}
