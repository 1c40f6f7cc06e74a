// Between the plain structs of proto/measure.h and the messages of measure.proto. FromProto takes what comes over the
// wire as it is: values of an enum that this build does not know become the nearest honest thing (an error stays one).
#pragma once

#include "proto/measure.h"

namespace tilth {

namespace proto {
class Device;
class DeviceHealth;
class MeasureResult;
class Trial;
}  // namespace proto

void ToProto(const Trial& trial, proto::Trial* message);
Trial FromProto(const proto::Trial& message);

void ToProto(const MeasureResult& result, proto::MeasureResult* message);
MeasureResult FromProto(const proto::MeasureResult& message);

void ToProto(const DeviceHealth& health, proto::DeviceHealth* message);
DeviceHealth FromProto(const proto::DeviceHealth& message);
void ToProto(const Device& device, proto::Device* message);
Device FromProto(const proto::Device& message);

}  // namespace tilth
