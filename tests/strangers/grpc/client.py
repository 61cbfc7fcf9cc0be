import sys
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

def say(*words):
    print(*words, flush=True)

def asked(call):
    try:
        call()
    except grpc.RpcError as error:
        say("failed", error.code().name, error.details())

def check(channel, service="app"):
    answer = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=20)
    say("answer", health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

def watch(channel):
    asking = health_pb2.HealthCheckRequest(service="app")
    for answer in health_pb2_grpc.HealthStub(channel).Watch(asking, timeout=60):
        say("answer", health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

def reflect(channel):
    def questions():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        for _ in range(20):
            yield reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    for answer in stub.ServerReflectionInfo(questions(), timeout=20):
        say("answer", answer.WhichOneof("message_response"))

def total(channel):
    call = channel.stream_unary("/test.Sum/Total")
    answer, outcome = call.with_call((b"x" * 10_000 for _ in range(30)), timeout=20)
    say("answer", len(answer), dict(outcome.trailing_metadata()).get("x-pieces"))

if len(sys.argv) > 3:
    trusted = grpc.ssl_channel_credentials(open(sys.argv[3], "rb").read())
    named = (("grpc.ssl_target_name_override", sys.argv[4]),)
    channel = grpc.secure_channel(sys.argv[1], trusted, named)
else:
    channel = grpc.insecure_channel(sys.argv[1])
{
    "check": lambda: asked(lambda: check(channel)),
    "unknown": lambda: asked(lambda: check(channel, "nobody")),
    "watch": lambda: asked(lambda: watch(channel)),
    "reflect": lambda: asked(lambda: reflect(channel)),
    "total": lambda: asked(lambda: total(channel)),
}[sys.argv[2]]()
say("over")
