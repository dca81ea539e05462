import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import { InstancesModule } from '../instances/instances.module.js';
import { DeleteInstanceHandler, ReplaceUnitHandler, SetMaintenanceHandler } from './change-unit.command.js';
import { ClaimUnitHandler } from './claim-unit.command.js';
import { Fleet } from './fleet.js';
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

@Module({
  imports: [CqrsModule, TypeOrmModule.forFeature([Operation, OperationUnit]), InstancesModule],
  providers: [
    Fleet,
    Operations,
    Preconditions,
    ResumeOperations,
    UnitPicker,
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
  exports: [Fleet, UnitPicker],
})
export class CryptoUnitsModule {}
