from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction

rooms = (811, 1203.0, 905, 702, 1090)
total = 4711.0
mean = Fraction(4711, 5)
name = "Larkspur"
sizes = OrderedDict(hall=Decimal(811), attic=(1203, 905))
