# cython: language_level=3
cdef class Customer:
    cdef public object _codec
    cdef public dict _states
    cdef public set _touched
    cdef public long long alarm, due
    cdef public object plan, row
    cdef public str subject

    cpdef object state(self, str slot)
    cpdef object glance(self, str slot)
    cpdef bytes encoded(self)
    cpdef bint repeats(self, bytes digest)
    cpdef dict deadlines(self)
    cpdef dict loud(self)
    cpdef long long next_due(self)
