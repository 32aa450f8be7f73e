"""The least that a wake can do: read the gauge, sleep."""

import machine

adc = machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB)
print(adc.read_uv())
machine.deepsleep(900000)
