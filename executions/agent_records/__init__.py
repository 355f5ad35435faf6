"""Records of agents: which agents there are besides that of AGENT_API_URL, and how each is called.

A trigger's `agentId` names a record. If there is none of that id, the default agent is called,
whose address is AGENT_API_URL.
"""
