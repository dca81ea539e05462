import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Initiator } from '../audit/audit-entry.js';
import type { Permission } from '../shared/permissions.js';
import { planOf } from './operation-plan.js';
import { Operations, type OperationView } from './operations.js';

/** Relays signed admin commands to the units that they name. The signatures are for the units; here they are evidence. */
export class RunCommands extends Command<OperationView> {
  static readonly permission: Permission = 'crypto-unit.command';
  constructor(
    readonly by: Initiator,
    readonly documents: readonly string[],
  ) {
    super();
  }
}

@CommandHandler(RunCommands)
export class RunCommandsHandler implements ICommandHandler<RunCommands> {
  constructor(private readonly operations: Operations) {}

  execute({ by, documents }: RunCommands): Promise<OperationView> {
    return this.operations.carryOut(planOf(documents, by));
  }
}

/** An operation as it stands, with each unit's outcome and receipt. */
export class ReadOperation extends Query<OperationView> {
  static readonly permission: Permission = 'crypto-unit.read';
  constructor(readonly id: string) {
    super();
  }
}

@QueryHandler(ReadOperation)
export class ReadOperationHandler implements IQueryHandler<ReadOperation> {
  constructor(private readonly operations: Operations) {}

  execute({ id }: ReadOperation): Promise<OperationView> {
    return this.operations.view(id);
  }
}
