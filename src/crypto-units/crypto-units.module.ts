import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { InstancesModule } from '../instances/instances.module.js';
import { ReadCheckpointsHandler, TakeCheckpointHandler } from './audit-checkpoint.command.js';
import { AuditCheckpointJob } from './audit-checkpoint.job.js';
import { AuditCheckpoints } from './audit-checkpoints.js';
import { DeleteInstanceHandler, ReplaceUnitHandler, SetMaintenanceHandler } from './change-unit.command.js';
import { ClaimUnitHandler } from './claim-unit.command.js';
import { Fleet } from './fleet.js';
import { LogVerdicts } from './log-verdicts.js';
import { Operation, OperationUnit } from './operation.entity.js';
import { Operations } from './operations.js';
import { Preconditions } from './preconditions.js';
import {
  AskUnitFactsHandler,
  ListUnitsHandler,
  NameStatesHandler,
  ReadKmsUserHandler,
  ShowUnitHandler,
} from './read-units.query.js';
import { ResumeOperations } from './resume-operations.job.js';
import { ReadOperationHandler, RunCommandsHandler } from './run-commands.command.js';
import { UnitPicker } from './unit-picker.js';
import { UnitRelay } from './unit-relay.js';
import { UnitTurns } from './unit-turns.js';

@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([Operation, OperationUnit]), InstancesModule],
  providers: [
    Fleet,
    Operations,
    Preconditions,
    ResumeOperations,
    UnitPicker,
    UnitRelay,
    UnitTurns,
    LogVerdicts,
    AuditCheckpoints,
    AuditCheckpointJob,
    TakeCheckpointHandler,
    ReadCheckpointsHandler,
    ClaimUnitHandler,
    RunCommandsHandler,
    ReadOperationHandler,
    SetMaintenanceHandler,
    ReplaceUnitHandler,
    DeleteInstanceHandler,
    ListUnitsHandler,
    NameStatesHandler,
    ShowUnitHandler,
    AskUnitFactsHandler,
    ReadKmsUserHandler,
  ],
  exports: [AuditCheckpoints, Fleet, UnitPicker],
})
export class CryptoUnitsModule {}
